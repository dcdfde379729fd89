"""Outcome of an evacuation, read from the tables of the run.

A host is *emptied* once the last VM has left it. Which decisions belong to the evacuation is read
from the tables alone, so that a run directory tells the same as a run that has just ended.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import field
from typing import Any, Generic, TypeVar

import numpy as np
import yaml

from ...models.base.arrays import added
from ...models.base.lazy_dataclass import dataclass
from ...policies.control.evacuation import Evacuation
from ...scenarios.language.units import parse
from ..base.run_tables import RunTables
from ..base.wording import lasting
from ..measure.work_not_done import sentence
from .vm_sentences import plural

SHOWN = 20
NOT_BEGUN, NOT_ENDED = "its wave had not started", "its migration had not ended"
CALLED_OFF = "its last migration was cancelled"
WAITED = (NOT_BEGUN, NOT_ENDED)
HELD = ("running", "migrating", "starting")
"""States of VMs that are on a host."""

NOT_MODELLED = "not modelled"
Row = Mapping[str, Any]
Run = TypeVar("Run", bound=RunTables)


@dataclass(frozen=True)
class EmptiedHost:
    """One evacuated host: its wave from 1, migrations off it, and when it was empty.

    Times in s from the start of the run. ``closed_s`` is when its wave began, ``emptied_s`` when
    the last VM had left it, by moving, by ending or by a crash; ``reopened_s`` when the work on it
    was over; None: not within the run. ``worst_downtime_s`` is None where no move's is modelled.
    ``boot_s`` is how long the host takes to boot, None where its wave had not started.
    """

    host: str
    wave: int
    moves: int
    copied_gib: float
    emptied_s: float | None
    worst_downtime_s: float | None
    closed_s: float | None = None
    reopened_s: float | None = None
    boot_s: float | None = None


@dataclass(frozen=True)
class EvacuationResult(Generic[Run]):
    """Outcome of an evacuation; times in s from the start of the run.

    ``finished_s`` is when the last VM had left the last host, None if a host was not emptied;
    ``stayed`` names the VMs on such hosts at the end of the run with the reason. ``moving_s`` is
    the sum of the times that moves took from begin to end. ``worst_vm`` stood still for longest,
    ``worst_downtime_s``; that is None where no move's downtime is modelled, and
    ``downtimes_unknown`` is how many moves have none. ``ended`` are VMs whose life ended on a host
    that was being emptied.
    """

    result: Run
    hosts: list[str]
    began_s: float
    finished_s: float | None
    moves: int
    copied_gib: float
    moving_s: float
    longest_s: float
    worst_downtime_s: float | None
    worst_vm: str
    stayed: dict[str, str]
    by_host: list[EmptiedHost] = field(default_factory=list)
    downtimes_unknown: int = 0
    hold_s: float = 0.0
    ended: list[str] = field(default_factory=list)

    @property
    def not_done(self) -> str:
        """Work not done by the run, apart from the evacuation; empty if all was done."""
        return sentence(self.result.figures())

    @property
    def waves(self) -> list[tuple[int, list[EmptiedHost]]]:
        """Hosts by the wave in which they were emptied."""
        numbers = sorted({each.wave for each in self.by_host})
        return [(wave, [each for each in self.by_host if each.wave == wave]) for wave in numbers]

    @property
    def reasons(self) -> list[tuple[str, list[str]]]:
        """Why VMs stayed, and which; those that were refused before those that had to wait."""
        found: dict[str, list[str]] = {}
        for vm, why in self.stayed.items():
            found.setdefault(why, []).append(vm)
        return sorted(found.items(), key=lambda each: (each[0] in WAITED, -len(each[1])))

    @property
    def full(self) -> list[str]:
        """Hosts that were not emptied within the run."""
        return [each.host for each in self.by_host if each.emptied_s is None]

    def within(self, deadline_s: float | None = None) -> bool:
        """Whether all hosts were evacuated, and within the deadline if there is one.

        ``deadline_s`` is in s from the begin of the evacuation. Never where a host was not emptied.
        """
        if self.finished_s is None:
            return False
        return deadline_s is None or self.finished_s - self.began_s <= deadline_s

    def text(self) -> str:
        """Return the outcome in a few lines.

        What the run left undone comes first, then when hosts were empty, what it took, by wave
        where there are several, and why VMs stayed.

        At most :data:`SHOWN` reasons are listed, with the first VMs of each.
        """
        lines = [f"{plural(len(self.hosts), 'host')}: {some(self.hosts)}", self.when()]
        if self.not_done:
            lines.insert(0, self.not_done)
        if self.afterwards():
            lines.append(self.afterwards())
        if self.moves:
            lines.append(
                f"{plural(self.moves, 'migration')}, {self.copied_gib:,.1f} GiB copied in "
                f"{self.moving_s:,.0f} s in total, longest migration {self.longest_s:.1f} s, max "
                f"downtime {self.downtime()}"
            )
        if len(self.waves) > 1:
            lines += [f"wave {wave}: {_wave_text(hosts)}" for wave, hosts in self.waves]
        if self.ended:
            vms = plural(len(self.ended), "VM")
            lines.append(
                f"not migrated: {vms} ended before a host had capacity, {some(self.ended)}"
            )
        lines += [
            f"stayed: {plural(len(vms), 'VM')}, {some(vms)}: {why}"
            for why, vms in self.reasons[:SHOWN]
        ]
        return "\n".join(lines)

    def when(self) -> str:
        """Say when the hosts were empty.

        Where a host was not emptied, say how many VMs stayed and on which hosts.
        """
        if self.finished_s is None:
            done = len(self.hosts) - len(self.full)
            kept = some(self.full)
            return (
                f"not emptied within the run: {plural(len(self.stayed), 'VM')} stayed on "
                f"{plural(len(self.full), 'host')} ({kept}), {done} of {len(self.hosts)} emptied"
            )
        return (
            f"empty after {clock(self.finished_s - self.began_s)}, {clock(self.finished_s)} into "
            f"the run, started at {clock(self.began_s)}"
        )

    def afterwards(self) -> str:
        """Say until when the last wave is worked on, and how long its hosts boot; empty if not."""
        if self.finished_s is None or not self.hold_s:
            return ""
        last = self.waves[-1][1]
        end_s = max(each.emptied_s or 0.0 for each in last) + self.hold_s
        boot_s = max(each.boot_s or 0.0 for each in last)
        boots = f"; booting a host afterwards takes {lasting(boot_s)}" if boot_s else ""
        return f"maintenance of the last wave ends at {clock(end_s)}{boots}"

    def downtime(self) -> str:
        """Return the worst downtime and whose it was, or that it is not modelled."""
        if self.worst_downtime_s is None:
            return NOT_MODELLED
        unknown = ""
        if self.downtimes_unknown:
            unknown = f", that of {plural(self.downtimes_unknown, 'migration')} {NOT_MODELLED}"
        return f"{lasting(self.worst_downtime_s)} ({self.worst_vm}){unknown}"

    def to_dict(self) -> dict[str, object]:
        """Return the outcome as plain values.

        Times in s, sizes in GiB; None stands for what did not happen within the run.
        """
        return {
            "hosts": self.hosts,
            "began_s": self.began_s,
            "finished_s": self.finished_s,
            "moves": self.moves,
            "copied_gib": self.copied_gib,
            "moving_s": self.moving_s,
            "longest_s": self.longest_s,
            "worst_downtime_s": self.worst_downtime_s,
            "worst_vm": self.worst_vm,
            "downtimes_unknown": self.downtimes_unknown,
            "hold_s": self.hold_s,
            "stayed": self.stayed,
            "ended": self.ended,
            "by_host": [vars(each) for each in self.by_host],
        }


def _wave_text(hosts: list[EmptiedHost]) -> str:
    """Return the hosts of a wave, when they were empty, and how many migrations that took."""
    moves = sum(each.moves for each in hosts)
    full = [each.host for each in hosts if each.emptied_s is None]
    last_s = max(each.emptied_s or 0.0 for each in hosts)
    when = f"empty at {clock(last_s)}"
    if full:
        when = "not emptied" if len(full) == len(hosts) else f"{some(full)} not emptied"
    return f"{some([each.host for each in hosts])}: {when}, {plural(moves, 'migration')}"


def evacuated(result: Run) -> EvacuationResult[Run] | None:
    """Return the outcome of a run's evacuation; None if no policy is an evacuation.

    The policy is read from the resolved scenario, the outcome from the tables.

    An evacuation inside a policy that combines others counts; of several the first.
    """
    policies = yaml.load(result.scenario_yaml, yaml.CSafeLoader)["policies"]
    control = _evacuation_in(policies["control"])
    if control is None:
        return None
    policy = Evacuation(
        control["hosts"],
        parse(control["at"], "time"),
        control["hosts_per_wave"],
        parse(control["maintenance_time"], "time"),
    )
    return read(result, policy)


def _evacuation_in(control: Any) -> Mapping[str, Any] | None:
    """Return the first evacuation among policies that hold others."""
    if not isinstance(control, dict):
        return None
    if control.get("policy") == "evacuation":
        return control
    inner = [*(control.get("policies") or []), control.get("base_policy")]
    return next((found for each in inner if (found := _evacuation_in(each))), None)


def read(result: Run, policy: Evacuation) -> EvacuationResult[Run]:
    """Return what the evacuation of a run came to.

    Only moves off hosts while these were being emptied count, and only those that ended.

    Raises KeyError if the run lacks a table that every run has.
    """
    table = result.table("hosts").to_pydict()
    named = zip(table["host"], table["rack"], strict=True)
    hosts = [host for host, rack in named if policy.names(host, rack)]
    closed = _closed(result, policy)
    moves = _moves(result, closed)
    by_host = _by_host(hosts, policy, closed, moves)
    full = {each.host for each in by_host if each.emptied_s is None}
    known = [row for row in moves if row["downtime_s"] is not None]
    worst: Row = max(known, key=lambda row: float(row["downtime_s"]), default={})
    took_s = [row["end_s"] - row["start_s"] for row in moves]
    ends_s = [each.emptied_s for each in by_host if each.emptied_s is not None]
    return EvacuationResult(
        result=result,
        hosts=hosts,
        began_s=policy.at_s,
        finished_s=None if full else max(ends_s, default=policy.at_s),
        moves=len(moves),
        copied_gib=added(row["copied_gib"] for row in moves),
        moving_s=added(took_s),
        longest_s=max(took_s, default=0.0),
        worst_downtime_s=worst.get("downtime_s"),
        worst_vm=worst.get("vm", ""),
        stayed=_why(result, _stayed(result, full)),
        by_host=by_host,
        downtimes_unknown=len(moves) - len(known),
        hold_s=policy.maintenance_time_s,
        ended=_ended(result, closed),
    )


def _closed(result: RunTables, policy: Evacuation) -> dict[str, Row]:
    """Return the hosts that were closed for this evacuation, with their times."""
    if "maintenance" not in result.tables:
        return {}
    rows = result.table("maintenance").to_pylist()
    return {row["host"]: row for row in rows if row["closed_s"] >= policy.at_s}


def _stayed(result: RunTables, full: Collection[str]) -> dict[str, str]:
    """Return the VMs that are on hosts which were not emptied, each with its host."""
    vms = result.table("vms").select(["vm", "last_host", "state"]).to_pylist()
    return {
        row["vm"]: row["last_host"]
        for row in vms
        if row["last_host"] in full and row["state"] in HELD
    }


def _moves(result: RunTables, closed: Mapping[str, Row]) -> list[Row]:
    """Return the migrations off hosts during their evacuation."""
    found = []
    for row in result.table("migrations").to_pylist():
        host = closed.get(row["source"])
        if host is None or not row["finished"] or row["decided_s"] < host["closed_s"]:
            continue
        if host["reopened_s"] is None or row["decided_s"] < host["reopened_s"]:
            found.append(row)
    return found


def _ended(result: RunTables, closed: Mapping[str, Row]) -> list[str]:
    """Return the VMs whose life ended on a host that was being emptied."""
    if "vm_events" not in result.tables:
        return []
    found = []
    for row in result.table("vm_events").to_pylist():
        host = closed.get(row["host"])
        if host is None or row["event"] not in {"finished", "dismissed"}:
            continue
        if host["closed_s"] <= row["time_s"] <= (host["emptied_s"] or np.inf):
            found.append(row["vm"])
    return found


def _by_host(
    hosts: list[str], policy: Evacuation, closed: Mapping[str, Row], moves: Iterable[Row]
) -> list[EmptiedHost]:
    """Return what became of each host; VMs that came to it for an earlier wave count as its own.

    Waves are numbered from 1, in the order of the farm's hosts. A host that was never closed has no
    times.
    """
    of_host: dict[str, list[Row]] = {host: [] for host in hosts}
    for row in moves:
        of_host[row["source"]].append(row)
    found = []
    for number, host in enumerate(hosts):
        rows, times = of_host[host], closed.get(host, {})
        known_s = [row["downtime_s"] for row in rows if row["downtime_s"] is not None]
        found.append(
            EmptiedHost(
                host,
                number // (policy.hosts_per_wave or len(hosts)) + 1,
                len(rows),
                added(row["copied_gib"] for row in rows),
                times.get("emptied_s"),
                max(known_s, default=None),
                times.get("closed_s"),
                times.get("reopened_s"),
                times.get("boot_s"),
            )
        )
    return found


def _why(result: RunTables, stayed: Mapping[str, str]) -> dict[str, str]:
    """Return the last reason why each VM did not leave the host that it is on.

    It is read from the decisions of the evacuation: a migration that was begun and has not ended,
    one that was called off, a refusal, or what hosts lacked.
    """
    ended = {
        row["vm"]: row["end_s"]
        for row in result.table("migrations").to_pylist()
        if not row["finished"]
    }
    end_s = 3600.0 * result.value("duration_h")
    reasons = dict.fromkeys(stayed, NOT_BEGUN)
    table = result.table("decisions").to_pydict()
    for row, vm in enumerate(table["vm"]):
        host = stayed.get(vm)
        if host is None or table["source"][row] != host or table["rule"][row] != "evacuation":
            continue
        outcome = str(table["outcome"][row])
        if outcome.startswith("moved"):
            cut_off = vm in ended and ended[vm] < end_s - 1e-6
            reasons[vm] = CALLED_OFF if cut_off else NOT_ENDED
            continue
        lacking = (
            ("hosts_no_cpu", "lack CPU"),
            ("hosts_no_memory", "lack memory"),
            ("hosts_vetoed", "would be overloaded"),
            ("hosts_barred", "are excluded"),
        )
        counts = [f"{table[key][row]} {what}" for key, what in lacking if table[key][row]]
        considered = table["hosts_considered"][row]
        detail = f" (of {plural(considered, 'host')} {', '.join(counts)})" if counts else ""
        if not considered and table["target"][row] is None:
            outcome = "no other host is available"
        reasons[vm] = outcome + detail
    return reasons


def some(names: list[str]) -> str:
    """Return the first names of a list.

    At most eight, and how many more there are.
    """
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def clock(seconds: float) -> str:
    """Return a time of the run in hours, minutes and seconds.

    ``seconds`` is rounded to the second; hours go on beyond 24.
    """
    whole = int(np.round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d} h"
