"""Plans of control policies: migrations with reasons, and hosts to power down or wake."""

from dataclasses import dataclass, field
from operator import index
from typing import Any, NamedTuple

import numpy as np

Row = int | np.integer[Any]
"""A VM or host by its row."""

FROM_VIEW = -2
"""Source of a proposal that names none: the host where the view shows the VM."""


class Reason(NamedTuple):
    """Reason for a migration: the rule, the measured value and the limit.

    ``measured`` and ``limit`` are shares (0.8 is shown as 80 %); both 0: nothing was measured.
    """

    rule: str
    measured: float = 0.0
    limit: float = 0.0


class Search(NamedTuple):
    """How a target was chosen among the candidate hosts.

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


NOT_SEARCHED = Search()
"""Nothing is recorded of how the target was found."""


class Proposal(NamedTuple):
    """One VM, its host, its target (−1: no host was found), and the reason.

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
    """The outcome of one control round, written with :meth:`move`, :meth:`sleep`, :meth:`wake`.

    Targets that sleep are woken, and so are ``wakes``; ``sleeps`` are put to sleep as soon as they
    are empty. ``ordered`` sleeps are not a wish but somebody's order, which no limit stops.
    ``refusals`` names hosts that are not put to sleep after all, and why. ``closes`` are taken out
    of service for maintenance, so that they get no VM and nobody wakes them, unless the reserve
    needs them; ``opens`` come back into service.

    Rows are checked as the plan is carried out (:class:`.PlanChecks`), not as it is written.
    Reasons of several calls for one action are joined.
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

    def move(
        self,
        vm: Row,
        target: Row,
        reason: str | Reason,
        search: Search = NOT_SEARCHED,
        source: int = FROM_VIEW,
    ) -> None:
        """Propose the migration of a VM to a host, both by row; −1: no host was found.

        The reason, a text or a :class:`Reason`, stands in the table ``decisions``. The source is
        the host where the view shows the VM.

        Raises TypeError if a row is not a whole number or the reason not a text or a
        :class:`Reason`.
        """
        if not isinstance(reason, Reason):
            reason = Reason(_text(reason, "a Reason(rule, measured, limit)"))
        row = _row(vm, "VM"), source, _row(target, "target")
        self.proposals.append(Proposal(*row, reason, search))

    def sleep(self, host: Row, reason: str = "idle") -> None:
        """Put a host to sleep, as soon as the last VM has left it; the reason is for the table."""
        self.sleep_reason = _joined(self.sleep_reason if self.sleeps else "", reason)
        self.sleeps.append(_row(host, "host"))

    def wake(self, host: Row, reason: str = "load") -> None:
        """Wake a host that sleeps, before any VM needs it."""
        self.wake_reason = _joined(self.wake_reason if self.wakes else "", reason)
        self.wakes.append(_row(host, "host"))

    def close(self, host: Row) -> None:
        """Take a host out of service: it gets no VM and is not woken until it is opened."""
        self.closes.append(_row(host, "host"))

    def open(self, host: Row) -> None:
        """Bring a closed host back into service."""
        self.opens.append(_row(host, "host"))


def _row(value: Row, what: str) -> int:
    try:
        return index(value)
    except TypeError:
        raise TypeError(f"the {what} {value!r}; a row is a whole number") from None


def _joined(reasons: str, reason: str) -> str:
    """Return the reasons of a round for one action, each once."""
    known = reasons.split(", ") if reasons else []
    return ", ".join(dict.fromkeys([*known, _text(reason, "")]))


def _text(reason: object, or_else: str) -> str:
    if isinstance(reason, str) and reason.strip():
        return reason
    wanted = " or ".join(filter(None, ("a text", or_else)))
    raise TypeError(f"the reason {reason!r}; a reason is {wanted}")
