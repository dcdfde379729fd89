"""What policies keep between rounds: one state for each policy object, and none for its kind."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar

T = TypeVar("T")


class StateNotCopiedError(Exception):
    """A state cannot be copied, so that its ``policy`` cannot be asked on paper."""

    def __init__(self, policy: object, error: Exception) -> None:
        super().__init__(policy, error)
        self.policy, self.error = policy, error


class PolicyStates:
    """The states of one run, by policy object.

    Two policies of a kind have a state each, be they equal; what holds the same object twice
    shares it. Policies are held as well, so that no other object can get the place of one.
    """

    def __init__(self) -> None:
        self._held: dict[int, tuple[object, Any]] = {}

    def of(self, policy: object, make: Callable[[], T]) -> T:
        """Return the state of a policy, made when it is first asked for."""
        key = id(policy)
        if key not in self._held:
            self._held[key] = (policy, make())
        state: T = self._held[key][1]
        return state

    def copied(self) -> "PolicyStates":
        """Return copies for decisions on paper, which do not change the run.

        What decides by itself (control and scaling policies) is not asked on paper and left out.
        Raises StateNotCopiedError.
        """
        copies = PolicyStates()
        for key, (policy, state) in self._held.items():
            if not hasattr(policy, "decide"):
                copies._held[key] = (policy, _copy(policy, state))
        return copies


def _copy(policy: object, state: T) -> T:
    try:
        return deepcopy(state)
    except Exception as error:
        raise StateNotCopiedError(policy, error) from error
