"""What a run that emptied hosts came to, read from its tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import yaml

from ..models.arrays import added
from ..policies.evacuation import Evacuation
from ..scenarios.units import parse
from .result import Result
from .undone import sentence

SHOWN = 20
NOT_BEGUN, NOT_ENDED = "its wave had not begun", "its move had not ended"
WAITED = (NOT_BEGUN, NOT_ENDED)


@dataclass(frozen=True)
class Emptied:
    """One host: its wave from 1, moves off it, when it was empty (None: not within the run).

    Times in s from the start of the run; ``empty_s`` is the start where it held no VM then.
    """

    host: str
    wave: int
    moves: int
    copied_gib: float
    empty_s: float | None
    worst_downtime_s: float


@dataclass(frozen=True)
class Evacuated:
    """Outcome of an evacuation; times in s from the start of the run.

    ``finished_s`` is when the last VM had left, None if some stayed; ``stayed`` names these with
    the reason. ``moving_s`` is the sum of the times that moves took from begin to end,
    ``worst_vm`` who stood still for longest.
    """

    result: Result
    hosts: list[str]
    began_s: float
    finished_s: float | None
    moves: int
    copied_gib: float
    moving_s: float
    longest_s: float
    worst_downtime_s: float
    worst_vm: str
    stayed: dict[str, str]
    by_host: list[Emptied] = field(default_factory=list)

    @property
    def not_done(self) -> str:
        """What the run left undone, besides the evacuation; empty where all was done."""
        return sentence(self.result.figures())

    @property
    def waves(self) -> list[tuple[int, list[Emptied]]]:
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

    def text(self) -> str:
        """Return the outcome in a few lines."""
        lines = [f"{len(self.hosts)} hosts: {some(self.hosts)}", self.when()]
        if self.not_done:
            lines.insert(0, self.not_done)
        worst = f" ({self.worst_vm})" if self.worst_downtime_s else ""
        lines.append(
            f"{self.moves:,} moves, {self.copied_gib:,.1f} GiB copied, {self.moving_s:,.0f} s of "
            f"moving, the longest {self.longest_s:.1f} s, worst downtime "
            f"{self.worst_downtime_s * 1e3:,.0f} ms{worst}"
        )
        if len(self.waves) > 1:
            lines += [f"wave {wave}: {_wave_text(hosts)}" for wave, hosts in self.waves]
        lines += [
            f"stayed: {len(vms):,} VMs, {some(vms)}: {why}" for why, vms in self.reasons[:SHOWN]
        ]
        return "\n".join(lines)

    def when(self) -> str:
        """Say when the hosts were empty."""
        if self.finished_s is None:
            return f"not emptied within the run: {len(self.stayed)} VMs stayed"
        return (
            f"empty after {clock(self.finished_s - self.began_s)}, {clock(self.finished_s)} into "
            f"the run, begun at {clock(self.began_s)}"
        )

    def to_dict(self) -> dict[str, object]:
        """Return the outcome as plain values."""
        return {
            "hosts": self.hosts, "began_s": self.began_s, "finished_s": self.finished_s,
            "moves": self.moves, "copied_gib": self.copied_gib, "moving_s": self.moving_s,
            "longest_s": self.longest_s, "worst_downtime_s": self.worst_downtime_s,
            "worst_vm": self.worst_vm, "stayed": self.stayed,
            "by_host": [vars(each) for each in self.by_host],
        }  # fmt: skip


def _wave_text(hosts: list[Emptied]) -> str:
    moves = sum(each.moves for each in hosts)
    full = [each.host for each in hosts if each.empty_s is None]
    last_s = max(each.empty_s or 0.0 for each in hosts)
    when = f"{some(full)} not emptied" if full else f"empty at {clock(last_s)}"
    return f"{some([each.host for each in hosts])}: {when}, {moves:,} moves"


def evacuated(result: Result) -> Evacuated | None:
    """Return what a run's evacuation came to, None where its policy is another."""
    control = yaml.load(result.scenario_yaml, yaml.CSafeLoader)["policies"]["control"]
    if control["policy"] != "evacuation":
        return None
    policy = Evacuation(control["hosts"], parse(control["at"], "time"), control["wave"])
    return read(result, policy)


def read(result: Result, policy: Evacuation) -> Evacuated:
    """Return what the evacuation of a run came to."""
    table = result.table("hosts").to_pydict()
    named = zip(table["host"], table["rack"], strict=True)
    hosts = [host for host, rack in named if policy.names(host, rack)]
    emptied = set(hosts)
    moves = [
        row
        for row in result.table("migrations").to_pylist()
        if row["source"] in emptied and row["decided_s"] >= policy.at_s and row["finished"]
    ]
    # A host of an earlier wave may hold VMs again: only those that never left count as staying.
    moved = {row["vm"] for row in moves}
    vms = result.table("vms").select(["vm", "last_host", "state"]).to_pylist()
    left = {
        row["vm"]: row["last_host"]
        for row in vms
        if row["last_host"] in emptied
        and row["state"] in {"running", "migrating"}
        and row["vm"] not in moved
    }
    # Null where the migration model does not say.
    worst: dict[str, Any] = max(moves, key=lambda row: row["downtime_s"] or 0.0, default={})
    took_s = [row["end_s"] - row["start_s"] for row in moves]
    ends_s = [row["end_s"] for row in moves]
    return Evacuated(
        result=result,
        hosts=hosts,
        began_s=policy.at_s,
        finished_s=None if left else max(ends_s, default=policy.at_s),
        moves=len(moves),
        copied_gib=added(row["copied_gib"] for row in moves),
        moving_s=added(took_s),
        longest_s=max(took_s, default=0.0),
        worst_downtime_s=worst.get("downtime_s") or 0.0,
        worst_vm=worst.get("vm", ""),
        stayed=_why(result, list(left), policy.at_s),
        by_host=_by_host(hosts, policy, moves, set(left.values())),
    )


def _by_host(
    hosts: list[str], policy: Evacuation, moves: list[dict[str, Any]], holding: set[str]
) -> list[Emptied]:
    """Return what became of each host; VMs that came to it for an earlier wave count as its own."""
    of_host: dict[str, list[Mapping[str, Any]]] = {host: [] for host in hosts}
    for row in moves:
        of_host[row["source"]].append(row)
    found = []
    for number, host in enumerate(hosts):
        rows = of_host[host]
        last_s = max((row["end_s"] for row in rows), default=policy.at_s)
        found.append(
            Emptied(
                host, number // (policy.wave or len(hosts)) + 1, len(rows),
                added(row["copied_gib"] for row in rows),
                None if host in holding else last_s,
                max((row["downtime_s"] or 0.0 for row in rows), default=0.0),
            )
        )  # fmt: skip
    return found


def _why(result: Result, vms: list[str], at_s: float) -> dict[str, str]:
    """Return the last reason why each VM did not leave."""
    table = result.table("decisions").to_pydict()
    reasons = dict.fromkeys(vms, NOT_BEGUN)
    for row, vm in enumerate(table["vm"]):
        if vm not in reasons or table["time_s"][row] < at_s:
            continue
        outcome = str(table["outcome"][row])
        if outcome.startswith("moved"):
            reasons[vm] = NOT_ENDED
            continue
        lacking = (
            ("hosts_no_cpu", "lack CPU"), ("hosts_no_memory", "lack memory"),
            ("hosts_vetoed", "would be overloaded"), ("hosts_barred", "may not take it"),
        )  # fmt: skip
        counts = [f"{table[key][row]} {what}" for key, what in lacking if table[key][row]]
        considered = table["hosts_considered"][row]
        detail = f" (of {considered} hosts {', '.join(counts)})" if counts else ""
        reasons[vm] = outcome + detail
    return reasons


def some(names: list[str]) -> str:
    """Return the first names of a list."""
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def clock(seconds: float) -> str:
    """Return a time of the run in hours, minutes and seconds."""
    whole = int(np.round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d} h"
