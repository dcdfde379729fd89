"""What policies keep between rounds: one state for each policy object, and none for its kind."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar

T = TypeVar("T")


class PolicyStates:
    """The states of one run, by policy object.

    Two policies of a kind have a state each, be they equal; what holds the same object twice
    shares it. Policies are held as well, so that no other object can get the place of one.
    """

    def __init__(self) -> None:
        self._held: dict[int, tuple[object, Any]] = {}
        self._not_copied: dict[int, Exception] = {}

    def of(self, policy: object, make: Callable[[], T]) -> T:
        """Return the state of a policy, made when it is first asked for.

        Raises TypeError where a copy is asked for of what cannot be copied.
        """
        key = id(policy)
        if key in self._not_copied:
            reason = self._not_copied[key]
            raise TypeError(
                f"what it keeps in view.state cannot be copied for a restart on paper: {reason!r}; "
                "keep numbers, arrays, lists and dictionaries"
            )
        if key not in self._held:
            self._held[key] = (policy, make())
        state: T = self._held[key][1]
        return state

    def copied(self) -> "PolicyStates":
        """Return copies for decisions on paper, which do not change the run.

        What decides by itself (control and scaling policies) is not asked on paper and left out.
        """
        copies = PolicyStates()
        copies._not_copied.update(self._not_copied)
        for key, (policy, state) in self._held.items():
            if hasattr(policy, "decide"):
                continue
            try:
                copies._held[key] = (policy, deepcopy(state))
            except Exception as error:
                copies._not_copied[key] = error
        return copies
