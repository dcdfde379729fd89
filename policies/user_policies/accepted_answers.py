"""What policies of each kind have to offer, and what their methods may return.

A check gets the answer and what the method was called with, and returns the answer as farmsim goes
on with it. What it refuses, it says in words: what was returned, what would be right.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import fields
from numbers import Real
from typing import Any, cast

import numpy as np

from ..interface.plan import Plan, Proposal, Reason, Search
from ..interface.view import FarmView
from ..placement.candidates import Room
from ..placement.placement import Placed
from ..scaling.scaling import ApplicationView, Wanted

SHOWN = 60
"""Characters of a wrong answer that are shown."""


class WrongAnswerError(Exception):
    """An answer that can never be right: ``what`` came, ``right`` is what would be."""

    def __init__(self, what: str, right: str) -> None:
        super().__init__(what, right)
        self.what, self.right = what, right


OFFERS: dict[str, dict[str, str]] = {
    "placement": {"place": "method"},
    "overload": {
        "samples": "number", "history": "vms or host", "linear": "method", "judge": "method",
    },
    "selection": {"samples": "number", "pick": "method"},
    "drain": {
        "receivers": "true or false", "spare_idle": "true or false", "below": "share",
        "order": "method",
    },
    "control": {"samples": "number", "powers_down": "true or false", "decide": "method"},
    "scaling": {"decide": "method"},
    "forecast": {"reach_s": "share", "course": "method"},
}  # fmt: skip
"""What a policy of each kind has, beside its knobs."""

MEANT = {
    "method": "a method",
    "number": "a whole number of samples, 0 or more",
    "true or false": "True or False",
    "share": "a number, 0 or more",
    "vms or host": "'vms' or 'host'",
}


def lacking(policy: object, kind: str) -> tuple[str, str] | None:
    """Return what a policy of a kind lacks and what would be right; None: nothing."""
    for name, sort in OFFERS[kind].items():
        try:
            value = getattr(policy, name)
        except AttributeError:
            return f"it has no {name}", f"a {kind} policy has {name}, {MEANT[sort]}"
        except Exception as error:
            return f"{name} failed: {error!r}", f"{name} is {MEANT[sort]}"
        if not _is_of(value, sort):
            return f"{name} is {shown(value)}", f"{name} is {MEANT[sort]}"
    return None


def _is_of(value: object, sort: str) -> bool:
    if sort == "method":
        return callable(value)
    if sort == "number":
        return _is_whole(value) and int(cast("int", value)) >= 0
    if sort == "true or false":
        return isinstance(value, bool | np.bool_)
    if sort == "share":
        return _is_number(value) and float(cast("float", value)) >= 0
    return value in ("vms", "host")


def shown(value: object) -> str:
    """Return a wrong value in few words."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} of shape {value.shape}"
    try:
        text = repr(value)
    except Exception:  # somebody else's repr may do anything
        text = "something"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({type(value).__name__})"


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number and not math.isnan(cast("float", value))


def _rows(values: object, most: int, what: str, least: int = 0) -> list[int]:
    """Return rows as plain integers, all within ``least`` … ``most`` − 1."""
    if not isinstance(values, Iterable):
        raise WrongAnswerError(f"{what} {shown(values)}", f"{what} is a list of rows")
    found = []
    for value in values:
        if not _is_whole(value):
            raise WrongAnswerError(f"{value!r} in {what}", "a row is a whole number")
        if not least <= int(value) < most:
            raise WrongAnswerError(
                f"row {value} in {what}", f"there are rows {least} to {most - 1}"
            )
        found.append(int(value))
    return found


# Control


def plan(answer: object, view: FarmView) -> Plan:
    """Return a plan of plain integers and floats."""
    if not isinstance(answer, Plan):
        right = "decide returns a Plan, an empty one where nothing is to be done"
        raise WrongAnswerError(shown(answer), right)
    hosts, vms = len(view.hosts), len(view.vms)
    if not isinstance(answer.proposals, list | tuple):
        raise WrongAnswerError(
            f"proposals {shown(answer.proposals)}", "proposals is a list of Proposal"
        )
    answer.proposals = [_proposal(each, vms, hosts) for each in answer.proposals]
    answer.sleeps = _rows(answer.sleeps, hosts, "sleeps")
    answer.wakes = _rows(answer.wakes, hosts, "wakes")
    answer.closes = _rows(answer.closes, hosts, "closes")
    answer.opens = _rows(answer.opens, hosts, "opens")
    for name in ("sleep_reason", "wake_reason"):
        if not isinstance(getattr(answer, name), str):
            raise WrongAnswerError(f"{name} {shown(getattr(answer, name))}", f"{name} is a text")
    for refusal in answer.refusals:
        if not (isinstance(refusal, tuple) and len(refusal) == 2 and isinstance(refusal[1], str)):
            raise WrongAnswerError(f"{shown(refusal)} in refusals", "a refusal is (host row, text)")
        _rows([refusal[0]], hosts, "refusals")
    return answer


def due(answer: object, view: FarmView) -> float:
    """Return an instant, now or later; infinite: never."""
    del view
    if not _is_number(answer):
        raise WrongAnswerError(shown(answer), "due_s returns a time in s, or inf for never")
    return float(cast("float", answer))


def _proposal(each: object, vms: int, hosts: int) -> Proposal:
    if not isinstance(each, Proposal):
        raise WrongAnswerError(
            f"{shown(each)} in proposals", "proposals holds Proposal and nothing else"
        )
    (vm,) = _rows([each.vm], vms, "the VMs of proposals")
    (source,) = _rows([each.source], hosts, "the sources of proposals", -1)
    (target,) = _rows([each.target], hosts, "the targets of proposals", -1)
    reason, search = each.reason, each.search
    if not isinstance(reason, Reason) or not isinstance(reason.rule, str):
        raise WrongAnswerError(
            f"the reason {shown(reason)}", "a reason is Reason(rule, measured, limit)"
        )
    if not all(isinstance(value, Real) for value in reason[1:]):
        raise WrongAnswerError(f"the reason {shown(reason)}", "measured and limit are numbers")
    if not isinstance(search, Search):
        raise WrongAnswerError(
            f"the search {shown(search)}", "a search is a Search; Search() says nothing"
        )
    counts = (*search[:2], *search[3:7])
    whole = all(_is_whole(value) for value in counts) and isinstance(search.cost, Real)
    if not whole or not isinstance(search.rules, str):
        raise WrongAnswerError(
            f"the search {shown(search)}", "counts are whole, cost a number, rules a text"
        )
    reason = Reason(reason.rule, float(reason.measured), float(reason.limit))
    return Proposal(vm, source, target, reason, search, bool(each.superseded))


# Placement


def placed(answer: object, room: Room, vms: Any) -> Placed:
    """Return a host row, or −1, and a search per VM."""
    if not isinstance(answer, Placed):
        raise WrongAnswerError(shown(answer), "place returns Placed(hosts, searches)")
    hosts = np.asarray(answer.hosts)
    if hosts.shape != (len(vms),) or len(answer.searches) != len(vms):
        what = f"{hosts.size} hosts and {len(answer.searches)} searches for {len(vms)} VMs"
        raise WrongAnswerError(
            what, "it returns one host and one Search for each VM, in the order given"
        )
    if len(hosts) and not np.issubdtype(hosts.dtype, np.integer):
        raise WrongAnswerError(
            f"hosts of {hosts.dtype}", "a host is named by its row, a whole number"
        )
    strange = hosts[(hosts >= 0) & ~np.isin(hosts, room.hosts)]
    strange = np.concatenate([strange, hosts[hosts < -1]])
    if len(strange):
        right = "a host is one of room.hosts, or -1 where none has room"
        raise WrongAnswerError(f"host {int(strange[0])}, which is not among the candidates", right)
    if not all(isinstance(each, Search) for each in answer.searches):
        raise WrongAnswerError(
            "searches that are no Search", "a search is a Search; Search() says nothing"
        )
    return Placed(hosts.astype(np.int64), list(answer.searches))


# Overload, selection, drain


def linear(answer: object, depth: int) -> Any:
    """Return weights and a limit, or None."""
    if answer is None:
        return None
    right = f"linear returns None, or {depth} weights and a limit above 0"
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise WrongAnswerError(shown(answer), right)
    weights, limit = np.asarray(answer[0]), answer[1]
    if weights.shape != (depth,) or weights.dtype.kind not in "fiu" or not _is_number(limit):
        raise WrongAnswerError(shown(answer), right)
    if not np.isfinite(weights).all() or not weights.any() or limit <= 0:
        raise WrongAnswerError(shown(answer), f"{right}; weights are finite and not all 0")
    return weights.astype(np.float64), float(limit)


def judged(answer: object, history_mhz: Any, capacity_mhz: Any) -> Any:
    """Return value and limit per host."""
    del history_mhz
    count = len(capacity_mhz)
    right = f"judge returns two arrays, value and limit, with {count} numbers each"
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise WrongAnswerError(shown(answer), right)
    both = [np.asarray(each) for each in answer]
    for each in both:
        if each.dtype.kind not in "fiu" or each.shape not in ((count,), ()):
            raise WrongAnswerError(shown(each), right)
        if np.isnan(each).any():
            raise WrongAnswerError("NaN", right)
    return tuple(np.broadcast_to(each, (count,)).astype(np.float64) for each in both)


def picked(answer: object, view: FarmView, vms: Any) -> int:
    """Return the position of one of the VMs."""
    del view
    if not _is_whole(answer) or not 0 <= int(cast("int", answer)) < len(vms):
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
    """Return what a scaling policy wants."""
    if not isinstance(answer, Wanted):
        raise WrongAnswerError(
            shown(answer), "decide returns Wanted(members, rule, measured, limit)"
        )
    if not _is_whole(answer.members) or answer.members < 0:
        raise WrongAnswerError(
            f"members {shown(answer.members)}", "members is a whole number, 0 or more"
        )
    if answer.size and answer.size not in view.sizes_mhz:
        names = ", ".join(view.sizes_mhz)
        raise WrongAnswerError(f"size {shown(answer.size)}", f"a size is one of {names}, or empty")
    if not isinstance(answer.rule, str):
        raise WrongAnswerError(f"rule {shown(answer.rule)}", "rule is a text")
    for name in ("measured", "limit"):
        if not isinstance(getattr(answer, name), Real):
            raise WrongAnswerError(f"{name} {shown(getattr(answer, name))}", f"{name} is a number")
    return Wanted(**{each.name: getattr(answer, each.name) for each in fields(Wanted)})


def course(answer: object, history: Any, step_s: float, steps: int) -> Any:
    """Return the forecast of every series."""
    del step_s
    values, shape = np.asarray(answer), (steps, history.shape[1])
    right = f"course returns finite numbers of shape (steps, series), here {shape}"
    if values.dtype.kind not in "fiu" or values.shape != shape:
        raise WrongAnswerError(shown(answer), right)
    if not np.isfinite(values).all():
        raise WrongAnswerError("numbers that are not finite", right)
    return values.astype(np.float64)


def anything(answer: object, *given: object, **named: object) -> object:
    """Return an answer of which nothing is asked."""
    del given, named
    return answer


CHECKS: dict[str, dict[str, Callable[..., Any]]] = {
    "placement": {"place": placed, "shelf": anything},
    "overload": {"linear": linear, "judge": judged},
    "selection": {"pick": picked},
    "drain": {"order": ordered},
    "control": {"decide": plan, "respond": plan, "due_s": due},
    "scaling": {"decide": wanted, "hot": anything},
    "forecast": {"course": course},
}
