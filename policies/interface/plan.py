"""What a control policy returns: proposals with their reasons, and power wishes."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Reason(NamedTuple):
    """Why a policy wants a VM moved: the rule, what it measured, and the limit it compared."""

    rule: str
    measured: float
    limit: float


class Search(NamedTuple):
    """How a target was looked for among the hosts considered.

    Where none had room, ``full`` is all of them, and how many may not take the VM (another
    tenant's, too small a hypervisor, one guest only), lack CPU, lack memory (though not CPU), or
    would be overloaded (though they lack neither); where one had, these are 0.
    ``cost`` is the placement's own measure of the chosen host (its unit is the policy's).
    ``rules`` names the rules that kept the VM off hosts, with the number of hosts for each.
    """

    considered: int = 0
    full: int = 0
    cost: float = 0.0
    no_cpu: int = 0
    no_memory: int = 0
    vetoed: int = 0
    barred: int = 0
    rules: str = ""


class Proposal(NamedTuple):
    """One VM, where it is, where it is to go (−1: no host was found), and why.

    A superseded proposal is kept for the record only: the policy changed its mind.
    """

    vm: int
    source: int
    target: int
    reason: Reason
    search: Search
    superseded: bool = False


@dataclass
class Plan:
    """The outcome of one control round.

    Targets that sleep are woken, and so are ``wakes``; ``sleeps`` are put to rest as soon as they
    are empty. ``ordered`` sleeps are not a wish but somebody's order, which no limit stops.
    ``refusals`` names hosts that are not put to rest after all, and why. ``closes`` are taken out
    of service for maintenance, so that they get no VM and nobody wakes them, unless the reserve
    needs them; ``opens`` come back into service.
    """

    proposals: list[Proposal] = field(default_factory=list)
    sleeps: list[int] = field(default_factory=list)
    sleep_reason: str = "idle"
    wakes: list[int] = field(default_factory=list)
    wake_reason: str = "load"
    ordered: bool = False
    refusals: list[tuple[int, str]] = field(default_factory=list)
    closes: list[int] = field(default_factory=list)
    opens: list[int] = field(default_factory=list)
