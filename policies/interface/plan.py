"""Plans of control policies: migrations with reasons, and hosts to power down or wake."""

from collections.abc import Sequence
from dataclasses import field, fields
from itertools import chain, repeat
from operator import index
from typing import Any, NamedTuple, overload

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints
from ...models.base.lazy_dataclass import dataclass

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


@dataclass(frozen=True)
class ProposalColumns:
    """Proposals as columns: rows (n,), and of all else an array (n,) or one value for all of them.

    The names are those of :class:`Reason`, :class:`Search` and :class:`Proposal`; nothing is
    changed once it is written.
    """

    vm: Ints
    source: Ints
    target: Ints
    rule: str | Sequence[str]
    measured: float | Floats | Sequence[float] = 0.0
    limit: float | Floats | Sequence[float] = 0.0
    considered: int | Ints | Sequence[int] = 0
    full: int | Ints | Sequence[int] = 0
    cost: float | Floats | Sequence[float] = 0.0
    no_cpu: int | Ints | Sequence[int] = 0
    no_memory: int | Ints | Sequence[int] = 0
    vetoed: int | Ints | Sequence[int] = 0
    barred: int | Ints | Sequence[int] = 0
    rules: str | Sequence[str] = ""
    superseded: bool | Bools | Sequence[bool] = False

    def __len__(self) -> int:
        return len(self.vm)

    @classmethod
    def of(cls, proposals: Sequence[Proposal]) -> "ProposalColumns":
        """Return the columns of some proposals."""
        if not proposals:
            nothing = np.empty(0, np.int64)
            return cls(nothing, nothing, nothing, "")
        *rows, reasons, searches, superseded = zip(*proposals, strict=True)
        named: dict[str, Any] = dict(zip(Reason._fields, zip(*reasons, strict=True), strict=True))
        named |= dict(zip(Search._fields, zip(*searches, strict=True), strict=True))
        named["superseded"] = superseded if any(superseded) else False
        vm, source, target = (np.array(column, np.int64) for column in rows)
        return cls(vm, source, target, **named)

    @classmethod
    def joined(cls, parts: Sequence["ProposalColumns"]) -> "ProposalColumns":
        """Return the proposals of one after those of another."""
        if len(parts) == 1:
            return parts[0]
        return cls.of([each for part in parts for each in part.proposals()])

    def proposals(self) -> list[Proposal]:
        """Return them one by one."""
        vm, source, target, rule, measured, limit, *search, superseded = (
            self._values(getattr(self, each.name)) for each in fields(self)
        )
        reasons = map(Reason, rule, measured, limit)
        searches = map(Search, *search)
        return list(map(Proposal, vm, source, target, reasons, searches, superseded))

    def _values(self, column: Any) -> Any:
        """Return the value for each proposal as a plain number, text or truth value."""
        if isinstance(column, np.ndarray):
            return column.tolist()
        if isinstance(column, str) or not isinstance(column, Sequence):
            return repeat(column, len(self))
        return column


class _Proposals:
    """The proposals of a plan as a list, made of columns when it is first read.

    Columns come after the list; who has read the list may change it.
    """

    @overload
    def __get__(self, plan: None, owner: type) -> tuple[()]: ...
    @overload
    def __get__(self, plan: "Plan", owner: type) -> list[Proposal]: ...
    def __get__(self, plan: "Plan | None", owner: type) -> list[Proposal] | tuple[()]:
        if plan is None:
            return ()  # The default, for which __set__ makes a list of the plan's own.
        proposals: list[Proposal] = plan.__dict__["_proposals"]
        if plan._columns:
            columns, plan._columns = plan._columns, []
            proposals.extend(chain.from_iterable(each.proposals() for each in columns))
        return proposals

    def __set__(self, plan: "Plan", proposals: list[Proposal] | tuple[()]) -> None:
        mine = list(proposals) if isinstance(proposals, tuple) else proposals
        plan.__dict__["_proposals"] = mine
        plan._columns = []


@dataclass
class Plan:
    """The outcome of one control round, written with :meth:`move`, :meth:`sleep`, :meth:`wake`.

    ``proposals`` is a list of :class:`Proposal`, also where they were written as columns.

    Targets that sleep are woken, and so are ``wakes``; ``sleeps`` are put to sleep as soon as they
    are empty. ``ordered`` sleeps are not a wish but somebody's order, which no limit stops.
    ``refusals`` names hosts that are not put to sleep after all, and why. ``closes`` are taken out
    of service for maintenance, so that they get no VM and nobody wakes them, unless the reserve
    needs them; ``opens`` come back into service.

    Rows are checked as the plan is carried out (:class:`.PlanChecks`), not as it is written.
    Reasons of several calls for one action are joined.
    """

    proposals: _Proposals = _Proposals()
    sleeps: list[int] = field(default_factory=list)
    sleep_reason: str = "idle"
    wakes: list[int] = field(default_factory=list)
    wake_reason: str = "load"
    ordered: bool = False
    refusals: list[tuple[int, str]] = field(default_factory=list)
    closes: list[int] = field(default_factory=list)
    opens: list[int] = field(default_factory=list)
    _columns: list[ProposalColumns] = field(init=False, repr=False, compare=False)

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


def propose_columns(plan: Plan, proposals: ProposalColumns) -> None:
    """Propose migrations as columns, after those that a plan has already.

    What :meth:`Plan.move` writes one by one, without an object for each; rows and sources must be
    known. The columns must not be changed later.
    """
    if len(proposals):
        plan._columns.append(proposals)


def columns_of(plan: Plan) -> ProposalColumns:
    """Return all proposals of a plan as columns, as they are now."""
    if plan._columns and not plan.__dict__["_proposals"]:
        return ProposalColumns.joined(plan._columns)
    return ProposalColumns.of(plan.proposals)


def asks_for_nothing(plan: Plan) -> bool:
    """Whether a plan changes nothing and proposes no migration; refusals may be in it."""
    moves = plan._columns or plan.__dict__["_proposals"]
    return not (moves or plan.sleeps or plan.wakes or plan.closes or plan.opens)


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
