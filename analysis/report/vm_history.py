"""The history of one VM, told from the tables of its run alone.

Decisions, migrations, the life of the VM and the power states of hosts that it was on are put in
order of time; what happens at one instant has an order of its own.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pyarrow as pa

from ...models.base.arrays import added
from ...models.base.lazy_dataclass import dataclass
from ...scenarios.errors.problems import refuse
from ..base.arrow_arrays import text_array
from ..base.run_tables import RunTables
from ..base.units_and_ratios import S_PER_DAY, S_PER_H
from .vm_sentences import (
    Row,
    clock,
    decision,
    event_sentence,
    extras,
    finite,
    first_placement,
    number,
    plural,
    span,
    summary,
)

KEYS = frozenset({"scenario", "replication", "seed", "vm"})
MOVE = frozenset(
    {"source", "target", "decided_s", "start_s", "waited_s", "end_s", "copied_gib", "finished"}
)
LISTED = 10
FIRST = ("placed", "rejected")
GONE = ("finished", "dismissed", "crashed", "lost in a migration")
"""Events that take a VM off its host."""

HERE = ("starting", "running")
LAST = ("finished", "dismissed")


class HostStay(NamedTuple):
    """A host on which a VM ran or to which it was migrating, and when."""

    host: str
    from_s: float
    to_s: float

    def sees(self, row: Row) -> bool:
        """Whether something happened to the host meanwhile."""
        return bool(row["host"] == self.host and self.from_s <= row["time_s"] <= self.to_s)


def host_stays(
    about: Row, life: Iterable[Row], moves: Sequence[Row], end_s: float
) -> list[HostStay]:
    """Return the hosts and targets of a VM in chronological order.

    ``about`` is the row of the VM, ``life`` its events, ``moves`` its migrations in the order of
    their decisions. A migration that did not end makes a stay at its target until it was given up.

    Times are in s. During a migration the VM is at both ends, so that stays overlap.
    """
    found: list[HostStay] = []
    for stay in _without_migrations(about, life, end_s):
        on, since_s = stay.host, stay.from_s
        for row in moves:
            if not stay.from_s <= row["decided_s"] <= stay.to_s:
                continue
            if row["finished"]:
                found.append(HostStay(on, since_s, row["end_s"]))
                on, since_s = row["target"], row["decided_s"]
            else:
                found.append(HostStay(row["target"], row["decided_s"], row["end_s"]))
        found.append(HostStay(on, since_s, stay.to_s))
    return found


def _without_migrations(about: Row, life: Iterable[Row], end_s: float) -> list[HostStay]:
    """Return the stays on hosts without migrations.

    A VM that crashed and was restarted has a stay for each time that it ran. One that is not on a
    host as the run ends has none that lasts until then.
    """
    found: list[HostStay] = []
    host, since_s = None, 0.0
    if not about.get("started_h"):
        # It is there from the start, of which its life has no event.
        host = about["first_host"]
    for row in life:
        if row["event"] in HERE and host is None:
            host, since_s = row["host"], row["time_s"]
        elif row["event"] in GONE and host is not None:
            found.append(HostStay(host, since_s, row["time_s"]))
            host = None
    return found if host is None else [*found, HostStay(host, since_s, end_s)]


@dataclass(frozen=True)
class Event:
    """An event of a VM, or a decision about it.

    ``event`` is ``placed``, ``rejected``, ``decision``, ``power`` (of a host that it was on or
    going to), ``wait``, ``move_begin``, ``move_end``, ``life`` (it is requested, waits, starts,
    runs, is down, leaves), ``end`` or ``summary``; ``data`` holds the columns that ``text`` is made
    of.
    """

    time_s: float
    event: str
    text: str
    data: Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class VmHistory:
    """Events of one VM in chronological order; the last one is a summary.

    ``vm`` is its name, ``about`` its size in words.
    """

    vm: str
    about: str
    events: Sequence[Event]

    @property
    def _with_day(self) -> bool:
        return self.events[-1].time_s > S_PER_DAY

    def text(self) -> str:
        """Return the history with one line per event, followed by the summary.

        Times are hours, minutes and seconds into the run, with the day where it is longer than one.
        """
        *told, last = self.events
        lines = [f"{clock(each.time_s, self._with_day)}  {each.text}" for each in told]
        return "\n".join([f"{self.vm}: {self.about}", "", *lines, "", last.text])

    def to_list(self) -> list[dict[str, Any]]:
        """Return the events as JSON-compatible mappings.

        Columns have the names and units of the tables that they come from.
        """
        return [
            {
                "time_s": each.time_s,
                "clock": clock(each.time_s, self._with_day),
                "event": each.event,
                "text": each.text,
                **each.data,
            }
            for each in self.events
        ]

    def __repr__(self) -> str:
        return self.text()


class _Ranked(NamedTuple):
    """An event with its place among those of one instant."""

    rank: float
    event: Event


# What comes first of what happens at one instant.
ENDED, BOOTED, ARRIVED, STOPPED, ASKED, DECIDED, WOKEN, LIVES, WAITS, LEAVES, DRAINING, AT_ONCE = (
    range(12)
)


def history_of(result: RunTables, vm: str) -> VmHistory:
    """Return the history of a VM, given by name or by a pattern that matches only it.

    Raises InputError naming the nearest VMs, or those that the pattern matches, and where a
    table of the run cannot be read.

    A VM that never ran has its request, the reason why it was rejected or waits, and a summary of
    0. Events at one instant are in the order in which they depend on one another: what ended,
    booted or arrived comes before what was decided from it.
    """
    tables = _Tables(result)
    vm = choose(vm, tables["vms"]["vm"].to_pylist(), tables.where)
    (about,) = tables.rows("vms", "vm", [vm])
    decisions = tables.rows("decisions", "vm", [vm])
    moves = tables.rows("migrations", "vm", [vm])
    end_s = round(float(result.value("duration_h")) * 3600.0, 6)
    life = tables.rows("vm_events", "vm", [vm]) if "vm_events" in result.tables else []
    where = host_stays(about, life, moves, end_s)
    named = {stay.host for stay in where}
    hosts = {row["host"]: row for row in tables.rows("hosts", "host", named)}
    power = tables.rows("power_events", "host", named)
    units = tables.units("migrations")
    ranked = [_decided(row, hosts) for row in decisions]
    ranked += [each for row in moves for each in _moved(row, power, end_s, units)]
    ranked += [_switched(row) for row in power if any(stay.sees(row) for stay in where)]
    ranked += [*_asked(about), *(_lives(row) for row in life)]
    ranked.sort(key=lambda each: (each.event.time_s, each.rank))
    events = [each.event for each in ranked]
    events += [_end(about, end_s), _summary(about, decisions, moves, life, end_s)]
    what = (
        f"{about['size']}, {plural(about['vcpus'], 'vCPU')}, {number(about['size_mhz'])} MHz, "
        f"{number(about['memory_gib'])} GiB"
    )
    return VmHistory(vm, what, events)


def choose(name: str, known: Sequence[str], where: str) -> str:
    """Return the VM called ``name``, or the only one that it matches as a pattern.

    Raises InputError naming the nearest VMs, or those that match.

    An exact name comes first, even if it has the signs of a pattern (``*``, ``?``, ``[``). At most
    :data:`LISTED` names are shown.
    """
    if name in known:
        return name
    if any(sign in name for sign in "*?["):
        matches = [each for each in known if fnmatchcase(each, name)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            listed = _listed(matches)
            raise refuse(where, f"{len(matches)} VMs match {name!r}; name one of them: {listed}")
    near = get_close_matches(name, known, LISTED, 0.5)
    hint = f"nearest: {', '.join(near)}" if near else f"known: {_listed(known)}"
    raise refuse(where, f"there is no VM {name!r}; {hint}")


def _listed(names: Sequence[str]) -> str:
    """Return the first of some names."""
    return ", ".join(names[:LISTED]) + (", …" if len(names) > LISTED else "")


class _Tables:
    """Rows of a run's tables as mappings, without the columns that identify the run.

    A table that cannot be read is an InputError naming the run, so that a damaged directory is told
    as such.
    """

    def __init__(self, result: RunTables) -> None:
        self._result = result
        self.where = str(result.directory or result.name)

    def __getitem__(self, name: str) -> pa.Table:
        """Return a table. Raises InputError naming the run if it is missing or cannot be read."""
        try:
            return self._result.tables[name]
        except (KeyError, OSError, pa.ArrowInvalid):
            message = f"is damaged: table {name} cannot be read; run the scenario again"
            raise refuse(self.where, message) from None

    def rows(self, name: str, column: str, values: Iterable[str]) -> list[dict[str, Any]]:
        """Return rows whose column has one of the values, as mappings, NaN as None.

        Raises InputError where the table cannot be read.
        """
        import pyarrow.compute as pc  # noqa: PLC0415 - costly to import

        table = self[name]
        wanted = text_array(sorted(values))
        found = table.filter(pc.is_in(table[column], value_set=wanted))
        kept = [each for each in found.column_names if each not in KEYS]
        return [finite(row) for row in found.select(kept).to_pylist()]

    def units(self, name: str) -> dict[str, str]:
        """Return the unit of each column, empty where it has none."""
        return {
            field.name: (field.metadata or {}).get(b"unit", b"").decode()
            for field in self[name].schema
        }


def _decided(row: Row, hosts: Mapping[str, Row]) -> _Ranked:
    """Return a decision about the VM, its first placement told otherwise than later ones."""
    if row["outcome"] in FIRST:
        event, text = row["outcome"], first_placement(row, hosts.get(row["target"]))
    else:
        event, text = "decision", decision(row)
    data = {name: value for name, value in row.items() if name != "time_s"}
    return _Ranked(DECIDED, Event(row["time_s"], event, text, data))


def _switched(row: Row) -> _Ranked:
    """Return a change of power state of a host that the VM was on or going to."""
    ranks = {"on": WOKEN, "booting": WOKEN, "draining": DRAINING}
    rank = BOOTED if row["cause"] == "booted" else ranks.get(row["state"], STOPPED)
    data = {name: value for name, value in row.items() if name != "time_s"}
    text = f"{row['host']} is {row['state']} ({row['cause']})"
    return _Ranked(rank, Event(row["time_s"], "power", text, data))


def _asked(about: Row) -> list[_Ranked]:
    """Return that the VM was first asked for; nothing where it is there from the start."""
    if not about.get("arrived_h"):
        return []
    asked_s = round(about["arrived_h"] * S_PER_H, 6)
    return [_Ranked(ASKED, Event(asked_s, "life", "is requested", {"event": "asked for"}))]


def _lives(row: Row) -> _Ranked:
    """Return an event of the VM's life; its end comes first of what happens at that instant."""
    data = {name: value for name, value in row.items() if name != "time_s"}
    rank = ENDED if row["event"] in LAST else LIVES
    return _Ranked(rank, Event(row["time_s"], "life", event_sentence(row), data))


def _moved(row: Row, power: Iterable[Row], end_s: float, units: Mapping[str, str]) -> list[_Ranked]:
    """Yield the events of a migration: wait, start and end.

    A migration that never began was still waiting for its target to boot as the run ended. Columns
    that are not known here are told at its end, with their units.

    ``row`` is one of the table of migrations, ``power`` the power events of the hosts concerned. A
    migration that ended at the instant at which it began comes last of that instant.
    """
    source, target, decided_s = row["source"], row["target"], row["decided_s"]
    states = [(e["time_s"], e["state"]) for e in power if e["host"] == target]
    last = [state for time_s, state in states if time_s <= row["end_s"]][-1:]
    began = row["finished"] or last != ["booting"]
    waited_s = (row["start_s"] if began else row["end_s"]) - decided_s
    booted = any(state == "on" and decided_s < time_s <= row["start_s"] for time_s, state in states)
    boots = booted or not began
    told = []
    if waited_s > 0:
        text = f"waits for {target} to boot" if boots else f"waits to be migrated to {target}"
        text += "" if row.get("unblocked_by") else ", memory reserved there"
        told.append(_Ranked(WAITS, Event(decided_s, "wait", text, {**row})))
    if began:
        after = f" after {span(waited_s)} of waiting" if waited_s > 0 else ""
        text = (
            f"starts migrating from {source} to {target}{after}: {number(row['copied_gib'])} GiB "
            "to copy"
        )
        told.append(_Ranked(LEAVES, Event(row["start_s"], "move_begin", text, {**row})))
    taken = span(row["end_s"] - (row["start_s"] if began else decided_s))
    if row["finished"]:
        text = f"runs on {target}: {number(row['copied_gib'])} GiB copied in {taken}"
    elif not began:
        text = f"has not started migrating to {target}, which is still booting after {taken}"
    elif row["end_s"] >= end_s:
        text = f"is still migrating to {target} at the end of the run, after {taken}"
    else:
        text = f"the migration to {target} is aborted after {taken}"
    text += extras(row, MOVE, units)
    rank = ARRIVED if row["end_s"] > row["start_s"] else AT_ONCE
    data = {**row, "waited_s": waited_s, "duration_s": row["end_s"] - row["start_s"]}
    told.append(_Ranked(rank, Event(row["end_s"], "move_end", text, data)))
    return told


def _end(about: Row, end_s: float) -> Event:
    """Return in which state the VM is as the run ends."""
    state, host = about["state"], about["last_host"]
    texts = {
        "suspended": "the run ends; suspended to storage",
        "running": f"the run ends; running on {host}",
        "migrating": f"the run ends; migrating from {host}",
        "finished": "the run ends; it had ended",
        "rejected": "the run ends; it never ran",
        "waiting": "the run ends; waiting for a host",
    }
    text = texts.get(state, f"the run ends; is {state}")
    return Event(end_s, "end", text, {"state": state, "host": host})


def _summary(
    about: Row,
    decisions: Sequence[Row],
    moves: Sequence[Row],
    life: Sequence[Row],
    end_s: float,
) -> Event:
    """Sum up what a VM went through and what it was not served.

    Only migrations that ended count for what was copied and how long that took.
    """
    ended = [row for row in moves if row["finished"]]
    outcomes = Counter(row["outcome"] for row in decisions if row["outcome"] not in FIRST)
    been = {about["first_host"], *(row["target"] for row in ended), *(row["host"] for row in life)}
    figures = {
        "decisions": sum(outcomes.values()),
        "outcomes": dict(outcomes),
        "moves_ended": len(ended),
        "moves_not_ended": len(moves) - len(ended),
        "copied_gib": added(row["copied_gib"] for row in ended),
        "moving_s": added(row["end_s"] - row["start_s"] for row in ended),
        "waiting_s": added(row["start_s"] - row["decided_s"] for row in ended),
        "hosts": len(been - {None}),
    }
    if any(row.get("downtime_s") is not None for row in moves):
        figures["downtime_s"] = added(row.get("downtime_s") or 0.0 for row in moves)
    unknown = [row for row in moves if row["finished"] and row.get("downtime_s") is None]
    figures["unmodelled"] = len(unknown)
    return Event(end_s, "summary", summary(about, figures), {**about, **figures})
