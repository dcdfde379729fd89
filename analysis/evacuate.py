"""A maintenance: which hosts were emptied when, at what cost, and what could not leave."""

from dataclasses import dataclass

import numpy as np

from ..policies.evacuation import Evacuation
from ..scenarios.build_farm import host_names
from ..scenarios.problems import refuse
from ..scenarios.scenario import Scenario
from .execute import Progress, execute
from .result import Result

MIB_PER_GIB = 1024.0


@dataclass(frozen=True)
class Evacuated:
    """Outcome of an evacuation; times in s from the start of the run.

    ``finished_s`` is when the last VM had left, None if some stayed; ``stayed`` names these with
    the reason.
    """

    result: Result
    hosts: list[str]
    began_s: float
    finished_s: float | None
    moves: int
    copied_gib: float
    longest_s: float
    worst_downtime_s: float
    stayed: dict[str, str]

    def text(self) -> str:
        """Return the outcome in a few lines."""
        lines = [f"{len(self.hosts)} hosts: {_some(self.hosts)}"]
        if self.finished_s is None:
            lines.append(f"not emptied within the run: {len(self.stayed)} VMs stayed")
        else:
            took_s = self.finished_s - self.began_s
            lines.append(
                f"empty after {_clock(took_s)}, {_clock(self.finished_s)} into the run, begun at "
                f"{_clock(self.began_s)}"
            )
        lines.append(
            f"{self.moves:,} moves, {self.copied_gib:,.1f} GiB copied, the longest "
            f"{self.longest_s:.1f} s, worst downtime {self.worst_downtime_s * 1e3:,.0f} ms"
        )
        lines += [f"stayed: {vm}: {why}" for vm, why in list(self.stayed.items())[:20]]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Return the outcome as plain values."""
        return {
            "hosts": self.hosts, "began_s": self.began_s, "finished_s": self.finished_s,
            "moves": self.moves, "copied_gib": self.copied_gib, "longest_s": self.longest_s,
            "worst_downtime_s": self.worst_downtime_s, "stayed": self.stayed,
        }  # fmt: skip


def evacuate(scenario: Scenario, policy: Evacuation, progress: Progress | None = None) -> Evacuated:
    """Run a scenario in which hosts are emptied.

    Raises InputError if no host has such a name, or the evacuation begins after the run's end.
    """
    names = host_names(scenario.farm)
    hosts = [name for name in names if policy.names(name)]
    if not hosts:
        message = f"no host is called {policy.hosts!r}; there are {_some(names)}"
        raise refuse(scenario.name, message, "--hosts")
    if policy.at_s >= scenario.run.duration:
        message = (
            f"begins at {_clock(policy.at_s)}, the run ends at {_clock(scenario.run.duration)}; "
            "begin earlier or lengthen run.duration"
        )
        raise refuse(scenario.name, message, "--at")
    policies = scenario.policies.model_copy(update={"control": policy})
    changed = scenario.model_copy(
        update={"policies": policies, "name": f"{scenario.name}-evacuated"}
    )
    return _read(execute(changed, progress), hosts, policy)


def _read(result: Result, hosts: list[str], policy: Evacuation) -> Evacuated:
    moves = result.table("migrations").to_pydict()
    emptied = set(hosts)
    chosen = [
        row
        for row, (source, decided_s) in enumerate(
            zip(moves["source"], moves["decided_s"], strict=True)
        )
        if source in emptied and decided_s >= policy.at_s and moves["finished"][row]
    ]
    # A host of an earlier wave may hold VMs again: only those that never left count as staying.
    moved = {moves["vm"][row] for row in chosen}
    took_s = [moves["end_s"][row] - moves["start_s"][row] for row in chosen]
    # Null where the migration model does not say.
    downtime_s = [away_s or 0.0 for away_s in moves["downtime_s"]]
    vms = result.table("vms").to_pydict()
    left = [
        vm
        for vm, host, state in zip(vms["vm"], vms["last_host"], vms["state"], strict=True)
        if host in emptied and state in {"running", "migrating"} and vm not in moved
    ]
    ends_s = [moves["end_s"][row] for row in chosen]
    return Evacuated(
        result=result,
        hosts=hosts,
        began_s=policy.at_s,
        finished_s=None if left else max(ends_s, default=policy.at_s),
        moves=len(chosen),
        copied_gib=float(sum(moves["copied_gib"][row] for row in chosen)),
        longest_s=max(took_s, default=0.0),
        worst_downtime_s=max((downtime_s[row] for row in chosen), default=0.0),
        stayed=_why(result, left, policy.at_s),
    )


def _why(result: Result, vms: list[str], at_s: float) -> dict[str, str]:
    """Return the last reason why each VM did not leave."""
    table = result.table("decisions").to_pydict()
    reasons = dict.fromkeys(vms, "its move had not ended")
    for row, vm in enumerate(table["vm"]):
        if vm not in reasons or table["time_s"][row] < at_s:
            continue
        outcome = str(table["outcome"][row])
        if outcome.startswith("moved"):
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


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def _clock(seconds: float) -> str:
    whole = int(np.round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d} h"
