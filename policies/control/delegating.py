"""A policy that has one task of its own and leaves all other decisions to another policy."""

from typing import ClassVar

from ..interface.plan import Plan
from ..interface.view import FarmView
from .control import ControlPolicy, due_s, respond


class DelegatingPolicy:
    """Decides where its own task is due, and hands on to ``base_policy`` where it is not.

    It does not wait for rounds: :meth:`respond` is called when its time has come, or something has
    changed. It looks at as many samples, and starts with as many hosts asleep, as the other does.
    """

    FORMER_FIELDS: ClassVar = {"otherwise": "base_policy"}

    base_policy: ControlPolicy

    @property
    def samples(self) -> int:
        """Number of past samples that the other policy looks at."""
        return self.base_policy.samples

    @property
    def powers_down(self) -> bool:
        """Whether hosts without VMs are off from the start."""
        return self.base_policy.powers_down

    def is_in_charge(self, view: FarmView) -> bool:
        """Whether the policy itself decides now, and the other does not."""
        raise NotImplementedError

    def own_due_s(self, view: FarmView) -> float:
        """Return when its own task is to be done, as things stand; inf: never."""
        raise NotImplementedError

    def own_plan(self, view: FarmView) -> Plan:
        """Return what its own task asks for now."""
        raise NotImplementedError

    def decide(self, view: FarmView) -> Plan:
        """Return the other policy's plan; nothing where this one is in charge."""
        return Plan() if self.is_in_charge(view) else self.base_policy.decide(view)

    def due_s(self, view: FarmView) -> float:
        """Return when either of the policies wants to decide, as things stand."""
        if self.is_in_charge(view):
            return self.own_due_s(view)
        return min(self.own_due_s(view), due_s(self.base_policy, view))

    def respond(self, view: FarmView) -> Plan:
        """Return the plan of the policy that is in charge."""
        if self.is_in_charge(view):
            return self.own_plan(view)
        return respond(self.base_policy, view)
