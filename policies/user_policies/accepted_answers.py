"""What the methods of policies of each kind may return.

A check gets the answer and what the method was called with, and returns the answer as farmsim goes
on with it. What it refuses, it says in words: what was returned, what would be right.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, cast

import numpy as np

from ...models.base.arrays import Ints
from ...models.migration.course import MigrationEnd, Step
from ..interface.plan import FROM_VIEW, NOT_SEARCHED, Plan, Proposal, Reason, Search
from ..interface.view import FarmView
from ..placement.candidates import Candidates
from ..placement.capacity_index import CapacityIndex
from ..placement.placement import Placed
from ..scaling.scaling import ApplicationView, Wanted
from .kinds import is_number, is_whole, shown

ROUNDING_MIB = 1e-3
"""Memory below which a lack is rounding."""

INDEX = ("find", "update")


class WrongAnswerError(Exception):
    """Invalid return value of a policy: ``what`` was returned, ``right`` is what is valid."""

    def __init__(self, what: str, right: str) -> None:
        super().__init__(what, right)
        self.what, self.right = what, right


def _rows(values: object, most: int, what: str, least: int = 0) -> list[int]:
    """Return rows as plain integers, all within ``least`` … ``most`` − 1."""
    if not isinstance(values, Iterable):
        raise WrongAnswerError(f"{what} {shown(values)}", f"{what} is a list of rows")
    found = []
    for value in values:
        if not is_whole(value):
            raise WrongAnswerError(f"{value!r} in {what}", "a row is a whole number")
        if not least <= int(value) < most:
            raise WrongAnswerError(
                f"row {value} in {what}", f"there are rows {least} to {most - 1}"
            )
        found.append(int(value))
    return found


# Control


def plan(answer: object, view: FarmView) -> Plan:
    """Return a plan of plain integers and floats.

    Raises WrongAnswerError for anything but a plan, rows that do not exist, and reasons that are no
    text.
    """
    if not isinstance(answer, Plan):
        right = "decide returns a Plan; Plan() if there is nothing to do"
        raise WrongAnswerError(shown(answer), right)
    hosts = len(view.hosts)
    for name in ("sleep_reason", "wake_reason"):
        if not isinstance(getattr(answer, name), str):
            raise WrongAnswerError(f"{name} {shown(getattr(answer, name))}", f"{name} is a string")
    return Plan(
        proposals=[_proposal(each, view) for each in _list(answer.proposals, "proposals")],
        sleeps=_rows(answer.sleeps, hosts, "sleeps"),
        sleep_reason=answer.sleep_reason,
        wakes=_rows(answer.wakes, hosts, "wakes"),
        wake_reason=answer.wake_reason,
        ordered=bool(answer.ordered),
        refusals=[_refusal(each, hosts) for each in _list(answer.refusals, "refusals")],
        closes=_rows(answer.closes, hosts, "closes"),
        opens=_rows(answer.opens, hosts, "opens"),
    )


def _list(value: object, what: str) -> Sequence[object]:
    """Return a list or tuple as it is; other iterables may be read only once, or never end."""
    if not isinstance(value, list | tuple):
        raise WrongAnswerError(f"{what} {shown(value)}", f"{what} is a list")
    return value


def _refusal(each: object, hosts: int) -> tuple[int, str]:
    """Return the row of a host that is not put to sleep after all, and why."""
    if not (isinstance(each, tuple) and len(each) == 2 and isinstance(each[1], str)):
        raise WrongAnswerError(f"{shown(each)} in refusals", "a refusal is (host row, string)")
    return _rows([each[0]], hosts, "refusals")[0], each[1]


def due(answer: object, view: FarmView) -> float:
    """Return an instant, now or later; infinite: never."""
    del view
    if not is_number(answer):
        raise WrongAnswerError(shown(answer), "due_s returns a time in s, or inf for never")
    return float(cast("float", answer))


def _proposal(each: object, view: FarmView) -> Proposal:
    """Return a proposal of plain integers whose source is known; rows are those of the view.

    That the source is where the VM is, and that no VM is named twice, the actuator checks for
    farmsim's own policies too.
    """
    if not isinstance(each, Proposal):
        right = "write plan.move(vm, target, reason); proposals contains only Proposal objects"
        raise WrongAnswerError(f"{shown(each)} in proposals", right)
    hosts = len(view.hosts)
    (vm,) = _rows([each.vm], len(view.vms), "the VMs of proposals")
    (source,) = _rows([each.source], hosts, "the sources of proposals", FROM_VIEW)
    (target,) = _rows([each.target], hosts, "the targets of proposals", -1)
    if source == FROM_VIEW:
        source = int(view.vms.host[vm])
    superseded = bool(each.superseded)
    return Proposal(vm, source, target, _reason(each.reason), _search(each.search), superseded)


def _reason(reason: object) -> Reason:
    """Return a reason of a text and two floats, neither of them NaN: tables hold no NaN."""
    right = "a reason is a string, or Reason(rule, measured, limit)"
    if isinstance(reason, str):
        reason = Reason(reason)
    if not isinstance(reason, Reason) or not isinstance(reason.rule, str):
        raise WrongAnswerError(f"the reason {shown(reason)}", right)
    if not all(is_number(value) for value in reason[1:]):
        raise WrongAnswerError(f"the reason {shown(reason)}", "measured and limit are numbers")
    return Reason(reason.rule, float(reason.measured), float(reason.limit))


def _search(search: object) -> Search:
    """Return how a target was looked for; None: nothing is said of it."""
    if search is None:
        return NOT_SEARCHED
    if not isinstance(search, Search):
        raise WrongAnswerError(f"the search {shown(search)}", "a search is a Search, or None")
    counts = (*search[:2], *search[3:7])
    whole = all(is_whole(value) for value in counts) and is_number(search.cost)
    if not whole or not isinstance(search.rules, str):
        raise WrongAnswerError(
            f"the search {shown(search)}",
            "counts are whole numbers, cost is a number, rules is a string",
        )
    return search


# Placement


def placed(answer: object, candidates: Candidates, vms: Ints, before: int) -> Placed:
    """Return a host row, or −1, and a search per VM.

    ``before`` is the mark of the candidates before the placement. VMs that it has not taken itself
    are taken here.
    """
    right = "place returns a host row per VM, -1 where none fits, or Placed(hosts, searches)"
    hosts = _array(answer.hosts if isinstance(answer, Placed) else answer, right)
    told = answer.searches if isinstance(answer, Placed) else None
    searches = [None] * len(vms) if told is None else _list(told, "searches")
    if hosts.shape != (len(vms),) or len(searches) != len(vms):
        what = f"{hosts.size} hosts and {len(searches)} searches for {len(vms)} VMs"
        raise WrongAnswerError(
            what, "it returns one host for each VM, in the order given, with or without a Search"
        )
    if len(hosts) and not np.issubdtype(hosts.dtype, np.integer):
        raise WrongAnswerError(
            f"hosts of {hosts.dtype}", "a host is named by its row, a whole number"
        )
    strange = hosts[(hosts >= 0) & ~np.isin(hosts, candidates.hosts)]
    strange = np.concatenate([strange, hosts[hosts < -1]])
    if len(strange):
        right = "a host is one of candidates.hosts, or -1 where none fits"
        raise WrongAnswerError(f"host {int(strange[0])}, which is not among the candidates", right)
    _take_up(hosts.astype(np.int64), candidates, vms, before)
    plain = [_search(each) for each in searches]
    return Placed(hosts.astype(np.int64), [_counted(each, len(candidates.hosts)) for each in plain])


def _counted(search: Search, hosts: int) -> Search:
    """Return a search with at least the number of hosts that there were."""
    return search if search.considered else search._replace(considered=hosts)


def _take_up(hosts: Ints, candidates: Candidates, vms: Ints, before: int) -> None:
    """Take the hosts of VMs that a placement has named without taking them; check all of them."""
    taken = candidates.taken_since(before)
    for vm, host in zip(vms.tolist(), hosts.tolist(), strict=True):
        position = -1 if host < 0 else int(np.searchsorted(candidates.hosts, host))
        if taken.get(vm, position) != position:
            took = int(candidates.hosts[taken[vm]])
            raise WrongAnswerError(
                f"{f'host {host}' if host >= 0 else '-1'} for VM {vm}, having taken host {took}",
                "return the host that was taken, or undo it with undo_to(mark)",
            )
        if position >= 0 and vm not in taken:
            if not candidates.fits(vm, position):
                raise WrongAnswerError(
                    f"host {host} for VM {vm}, which has no room for it",
                    "name a host only where candidates.fits(vm, position), and -1 else",
                )
            candidates.take(vm, position)
    used = list(candidates.taken_since(before).values())
    lack_mib = -candidates.memory_free_mib[used]
    if lack_mib.max(initial=0.0) > ROUNDING_MIB:
        host = int(candidates.hosts[used[int(lack_mib.argmax())]])
        raise WrongAnswerError(
            f"more VMs for host {host} than it has memory for, by {lack_mib.max():.0f} MiB",
            "take a candidate only where candidates.fits(vm, position)",
        )


def _array(values: object, right: str) -> Any:
    """Return values as an array; an error in words where they make none."""
    if values is None or isinstance(values, str | dict | set) or not isinstance(values, Iterable):
        raise WrongAnswerError(shown(values), right)
    try:
        return np.asarray(values)
    except Exception:  # somebody else's object may do anything
        raise WrongAnswerError(shown(values), right) from None


# Overload, selection, drain


def linear(answer: object, depth: int) -> Any:
    """Return weights and a limit, or None."""
    if answer is None:
        return None
    right = f"linear returns None, or {depth} weights and a limit above 0"
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise WrongAnswerError(shown(answer), right)
    weights, limit = _array(answer[0], right), answer[1]
    if weights.shape != (depth,) or weights.dtype.kind not in "fiu" or not is_number(limit):
        raise WrongAnswerError(shown(answer), right)
    if not np.isfinite(weights).all() or not weights.any() or limit <= 0:
        raise WrongAnswerError(shown(answer), f"{right}; weights are finite and not all 0")
    return weights.astype(np.float64), float(limit)


def judged(answer: object, history_mhz: Any, capacity_mhz: Any) -> Any:
    """Return value and limit per host.

    Both are floats (hosts,) without NaN; a scalar limit stands for all hosts.
    """
    del history_mhz
    count = len(capacity_mhz)
    right = f"judge returns two arrays, value and limit, with {count} numbers each"
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise WrongAnswerError(shown(answer), right)
    both = [
        _array(each, right) if isinstance(each, Iterable) else np.asarray(each) for each in answer
    ]
    for each in both:
        if each.dtype.kind not in "fiu" or each.shape not in ((count,), ()):
            raise WrongAnswerError(shown(each), right)
        if np.isnan(each).any():
            raise WrongAnswerError("NaN", right)
    return tuple(np.broadcast_to(each, (count,)).astype(np.float64) for each in both)


def picked(answer: object, view: FarmView, vms: Any) -> int:
    """Return the position of one of the VMs."""
    del view
    if not is_whole(answer) or not 0 <= int(cast("int", answer)) < len(vms):
        raise WrongAnswerError(
            shown(answer), f"pick returns a position in vms, 0 to {len(vms) - 1}"
        )
    return int(cast("int", answer))


def ordered(answer: object, view: FarmView, overloaded: Any) -> Any:
    """Return rows of hosts, each once."""
    del overloaded
    rows = _rows(answer, len(view.hosts), "order")
    if len(set(rows)) < len(rows):
        raise WrongAnswerError("a host twice", "order names each host once")
    return np.array(rows, np.int64)


# Scaling and forecasts


def wanted(answer: object, view: ApplicationView) -> Wanted:
    """Return what a scaling policy wants; a number alone is one of members.

    Raises WrongAnswerError for anything that is neither a number of members nor a ``Wanted``, and
    for parts of a ``Wanted`` of a wrong sort.
    """
    if is_whole(answer):
        answer = Wanted(int(cast("int", answer)), "members")
    if not isinstance(answer, Wanted):
        right = "decide returns Wanted(members, rule), or a number of members"
        raise WrongAnswerError(shown(answer), right)
    if not is_whole(answer.members) or answer.members < 0:
        raise WrongAnswerError(
            f"members {shown(answer.members)}", "members is a whole number, 0 or more"
        )
    if answer.size and answer.size not in view.sizes_mhz:
        names = ", ".join(view.sizes_mhz)
        raise WrongAnswerError(f"size {shown(answer.size)}", f"a size is one of {names}, or empty")
    if not isinstance(answer.rule, str):
        raise WrongAnswerError(f"rule {shown(answer.rule)}", "rule is a string")
    for name in ("measured", "limit"):
        if not isinstance(getattr(answer, name), Real):
            raise WrongAnswerError(f"{name} {shown(getattr(answer, name))}", f"{name} is a number")
    measured = answer.measured if answer.measured == answer.measured else view.utilisation
    return replace(answer, members=int(answer.members), measured=float(measured))


def forecast(answer: object, history: Any, step_s: float, steps: int) -> Any:
    """Return the forecast of every series."""
    del step_s
    shape = (steps, history.shape[1])
    right = f"forecast returns finite numbers of shape (steps, series), here {shape}"
    values = _array(answer, right)
    if values.dtype.kind not in "fiu" or values.shape != shape:
        raise WrongAnswerError(shown(answer), right)
    if not np.isfinite(values).all():
        raise WrongAnswerError("numbers that are not finite", right)
    return values.astype(np.float64)


def index(answer: object, *given: object) -> CapacityIndex:
    """Return an index of hosts."""
    del given
    lacks = [name for name in INDEX if not callable(getattr(answer, name, None))]
    if lacks:
        right = f"capacity_index returns an index with {', '.join(INDEX)}"
        raise WrongAnswerError(f"{shown(answer)} without {', '.join(lacks)}", right)
    return cast("CapacityIndex", answer)


def yes_or_no(answer: object, *given: object) -> bool:
    """Return a truth value."""
    del given
    if not isinstance(answer, bool | np.bool_):
        raise WrongAnswerError(shown(answer), "it returns True or False")
    return bool(answer)


# Migration


def step(answer: object) -> Step:
    """Return a step of a migration with finite numbers in their ranges.

    Raises WrongAnswerError for times, sizes or caps below 0 or infinite where they would stop the
    clock, shares below 0, and a guest share above 1.
    """
    if not isinstance(answer, Step):
        raise WrongAnswerError(shown(answer), "steps yields Step(name, …) and nothing else")
    if not isinstance(answer.name, str):
        raise WrongAnswerError(f"the name {shown(answer.name)}", "the name of a step is a string")
    for name in ("wait_s", "undo_s", "beside_bytes"):
        _at_least_0(name, getattr(answer, name))
    if answer.size_bytes is not None:
        _at_least_0("size_bytes", answer.size_bytes)
    if not is_number(answer.cap_bytes_s) or answer.cap_bytes_s <= 0:
        raise WrongAnswerError(
            f"cap_bytes_s {shown(answer.cap_bytes_s)}", "a cap is above 0; inf where there is none"
        )
    for name in ("guest_share", "source_share", "target_share"):
        _at_least_0(name, getattr(answer, name))
    if answer.guest_share > 1:
        raise WrongAnswerError(
            f"guest_share {shown(answer.guest_share)}", "a guest keeps 0 to 1 of its CPU"
        )
    if answer.beside_bytes and not answer.wait_s:
        raise WrongAnswerError(
            "beside_bytes without wait_s", "they are copied during the wait: give its length"
        )
    return answer


def _at_least_0(name: str, value: object) -> None:
    """Refuse what would turn back the clock, or stop it for ever."""
    if not is_number(value) or not 0 <= cast("float", value) < math.inf:
        raise WrongAnswerError(f"{name} {shown(value)}", f"{name} is a finite number, 0 or more")


def ending(answer: object, arrived: bool) -> MigrationEnd:
    """Return how a migration ended; the VM has moved only if a step said that it arrived."""
    if not isinstance(answer, MigrationEnd):
        right = "steps ends with return MigrationEnd(moved=True), or moved=False"
        raise WrongAnswerError(shown(answer), right)
    for name in ("reaction", "reason"):
        if not isinstance(getattr(answer, name), str):
            raise WrongAnswerError(f"{name} {shown(getattr(answer, name))}", f"{name} is a string")
    if bool(answer.moved) != arrived:
        what = "moved=True without a step that arrived" if answer.moved else "moved=False after it"
        raise WrongAnswerError(what, "a VM that moves has a step with arrived=True, others none")
    return answer


CHECKS: dict[str, dict[str, Callable[..., Any]]] = {
    "placement": {"place": placed, "capacity_index": index},
    "overload": {"linear": linear, "judge": judged},
    "selection": {"pick": picked},
    "drain": {"order": ordered},
    "control": {"decide": plan, "respond": plan, "due_s": due},
    "scaling": {"decide": wanted, "resizes_running": yes_or_no},
    "forecast": {"forecast": forecast},
}
"""What comes back from each method, by kind; :mod:`.guard` looks after steps of migrations."""
