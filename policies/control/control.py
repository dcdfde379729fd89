"""Define control policies, and the two that never migrate VMs."""

from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from ...models.base.lazy_dataclass import dataclass
from ..interface.plan import Plan
from ..interface.view import FarmView


class ControlPolicy(Protocol):
    """Decides once per round what the farm does.

    A policy that never moves a VM says so with an attribute ``migrates_vms = False``; only such a
    policy may run a farm some of whose hypervisors or I/O paths cannot move running VMs.

    Optional attributes: ``migrates_vms`` (True), ``wakes`` (False: sleeping hosts are woken for VMs
    only with ``powers_down``), ``repeatable`` (False; see :func:`.is_repeatable`), and the methods
    ``due_s`` and ``respond`` of :class:`EventDrivenPolicy`.
    """

    @property
    def samples(self) -> int:
        """Number of past samples that the policy looks at."""
        ...

    @property
    def powers_down(self) -> bool:
        """Whether hosts without VMs are off from the start."""
        ...

    def decide(self, view: FarmView) -> Plan:
        """Return what is to be done now.

        Called every control period after time 0. Demand, histories and migrations that end at this
        instant are up to date. The plan is carried out at once.
        """
        ...


@runtime_checkable
class EventDrivenPolicy(Protocol):
    """A control policy that also decides between rounds, when something happens.

    Rounds do not concern what it decides so: its times are those of the events.
    """

    def due_s(self, view: FarmView) -> float:
        """Return when it wants to decide, as things stand; now or earlier: at once, inf: never.

        Asked at the start, and again whenever VMs or hosts have changed.
        """
        ...

    def respond(self, view: FarmView) -> Plan:
        """Return what is to be done now that its time has come."""
        ...


def due_s(policy: ControlPolicy, view: FarmView) -> float:
    """Return when a policy wants to decide besides its rounds; inf: never, as things stand."""
    return policy.due_s(view) if isinstance(policy, EventDrivenPolicy) else np.inf


def respond(policy: ControlPolicy, view: FarmView) -> Plan:
    """Return the decision of a policy besides its rounds; empty if it has none to take now."""
    if isinstance(policy, EventDrivenPolicy) and policy.due_s(view) <= view.now_s:
        return policy.respond(view)
    return Plan()


@dataclass(frozen=True)
class NoControl:
    """Migrate nothing and keep every host on: a farm without consolidation."""

    repeatable: ClassVar[bool] = True

    samples = 0
    powers_down = False
    migrates_vms = False

    def decide(self, view: FarmView) -> Plan:
        """Return an empty plan."""
        del view
        return Plan()


@dataclass(frozen=True)
class PowerProportional:
    """Leave VMs where they were placed; switch off hosts without VMs."""

    repeatable: ClassVar[bool] = True

    samples = 0
    powers_down = True
    migrates_vms = False

    def decide(self, view: FarmView) -> Plan:
        """Switch off what is empty."""
        return Plan(sleeps=idle_hosts(view))


def migrates_vms(policy: ControlPolicy) -> bool:
    """Return whether a policy may migrate VMs; the default is yes."""
    return bool(getattr(policy, "migrates_vms", True))


def rests(policy: ControlPolicy, view: FarmView) -> bool:
    """Return whether a policy does nothing until VMs or hosts change, whatever demand does."""
    idle = isinstance(policy, PowerProportional) and not idle_hosts(view)
    return idle or isinstance(policy, NoControl)


def wakes(policy: ControlPolicy) -> bool:
    """Return whether powered-down hosts are woken for VMs that fit on no other host.

    So they are where a policy rests hosts from the start, and where one says so with an attribute
    ``wakes = True`` that rests some later.
    """
    return policy.powers_down or bool(getattr(policy, "wakes", False))


def idle_hosts(view: FarmView) -> list[int]:
    """Return the hosts that are on without having or expecting a VM."""
    hosts = view.hosts
    idle = view.awake() & (hosts.vm_count == 0) & (hosts.incoming == 0)
    rows: list[int] = np.flatnonzero(idle).tolist()
    return rows
