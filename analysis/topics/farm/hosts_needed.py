"""Hosts needed by a run: end of start-up, peak number on after it, hosts paid for.

Start-up is the *first descent*: the stretch, from time 0 on, in which control rounds do nothing
but switch off hosts that only the first placement had switched on. It begins with the first
round, goes on while from round to round further hosts leave, and ends when the last of them is at
rest or when any host is switched on. It is deleted as an initial transient (Law, Simulation
Modeling and Analysis, 5th ed. 2015, section 9.5.1) only if

- it ends within the first half of the run, beyond which a truncation rests on too few
  observations (White, Simulation 69(6), 1997, for MSER); and
- its work could have been done by the hosts that are on later: on average over start-up the
  theoretical minimum of hosts is not above its highest value in any later step. Where the load
  itself falls from the start, the first hosts were needed, and nothing is deleted.
"""

import numpy as np

from ....models.accounts.accounts import Rate
from ....models.base.arrays import Floats, Ints, sum_by
from ....models.base.lazy_dataclass import dataclass
from ....models.state.columns import PowerState
from ....policies.control.consolidation import name_of
from ...base.played_case import PlayedCase

LEAVING = (PowerState.DRAINING, PowerState.STOPPING)
RELATIVE = 1e-9


@dataclass(frozen=True)
class HostsNeeded:
    """Hosts that were on, booting or shutting down.

    ``end_s`` is the end of start-up, 0 where there is none; ``startup_peak`` the most awake until
    then, ``peak`` the most after it. ``paid`` is how many are paid for, by group;
    ``uncounted_j`` the energy that hosts which are not paid for drew, by group, and
    ``surplus`` how many hosts that are, by group. ``surplus_on_s`` is the time that such hosts were
    on without ever holding a VM; ``empty_share``, ``empty_memory_share`` and ``empty_cores_share``
    are their parts of the CPU, memory and cores that were on.
    """

    end_s: float
    startup_peak: int
    peak: int
    paid: Ints
    uncounted_j: Floats
    surplus: Ints
    surplus_on_s: float = 0.0
    empty_share: float = 0.0
    empty_memory_share: float = 0.0
    empty_cores_share: float = 0.0

    def values(self) -> dict[str, float]:
        """Return the figures by name.

        Counts of hosts, and the end of start-up in s.
        """
        return {
            "hosts_on_peak": self.peak,
            "startup_end_s": self.end_s,
            "startup_hosts_on_peak": self.startup_peak,
            "hosts_paid": int(self.paid.sum()),
        }


def hosts_needed(run: PlayedCase) -> HostsNeeded:
    """Return which hosts a run needed, and which of them are paid for.

    Paid for are the most hosts of each group that were awake after start-up, or all where the
    scenario says ``hosts_paid: owned``. A baseline without consolidation pays for those that the
    run paid for, and for hosts that ever held a VM.
    """
    times_s, awake = _awake(run)
    end_s = start_up_end_s(run)
    first_after = max(int(np.searchsorted(times_s, end_s, side="right")) - 1, 0)
    peak = int(awake[first_after:].sum(axis=1).max(initial=0))
    paid = awake[first_after:].max(axis=0, initial=0)
    owned = run.scenario.cost.hosts_paid == "owned"
    if run.case.min_paid is not None and not owned:
        paid = np.minimum(np.maximum(run.case.min_paid, _ever_hosting(run)), paid)
        peak = int(paid.sum())
    if owned:
        paid = np.asarray(run.case.host_counts, np.int64)
    startup_peak = int(awake[:first_after].sum(axis=1).max(initial=0)) if end_s else 0
    uncounted_j = _standby_j(run, times_s, awake, paid)
    surplus = np.asarray(run.case.host_counts, np.int64) - paid
    if run.case.min_paid is None:
        return HostsNeeded(end_s, startup_peak, peak, paid, uncounted_j, surplus)
    uncounted_j = uncounted_j + _of_empty(run, Rate.POWER_W, surplus)
    on_s = _of_empty(run, Rate.ON, surplus)
    hosts = run.farm.hosts
    shares = [
        _part_of_on(run, on_s, each)
        for each in (hosts.cpu_mhz, hosts.memory_mib, hosts.cpu_mhz / hosts.core_mhz)
    ]
    return HostsNeeded(
        end_s, startup_peak, peak, paid, uncounted_j, surplus, float(on_s.sum()), *shares
    )


def _part_of_on(run: PlayedCase, on_s: Floats, per_host: Floats) -> float:
    """Return the part of what was on that hosts of each group had which were on for ``on_s``.

    ``per_host`` is what each host has of it, alike in a group.
    """
    group, total = run.farm.hosts.group, run.farm.accounts.totals[Rate.ON] @ per_host
    of_group = np.zeros(len(on_s))
    of_group[group] = per_host
    return float(on_s @ of_group / total) if total > 0 else 0.0


def start_up_end_s(run: PlayedCase) -> float:
    """Return when start-up ended; 0 if there is no start-up.

    See the head of this file; an evacuation has none, since hosts leave for another reason.

    In s from the start of the run. 0 as well where the farm never switches hosts off, where one is
    switched on before any is off, and where start-up would be more than half of the run.
    """
    times_s, awake = _awake(run)
    total = awake.sum(axis=1)
    rises = np.flatnonzero(np.diff(total) > 0)
    rise_s = float(times_s[rises[0] + 1]) if len(rises) else np.inf
    if name_of(run.scenario.policies.control) == "evacuation":
        return 0.0  # hosts leave for maintenance, not because they are not needed
    end_s = _descent_end_s(run, run.scenario.policies.every, rise_s)
    if not 0.0 < end_s <= run.end_s / 2:
        return 0.0
    steps = run.accounts.bounds.columns()
    ends_s, length_s = steps["time_s"], steps["length_s"]
    inside_s = np.clip(end_s - (ends_s - length_s), 0.0, length_s)
    needed = float((steps["hosts_least"] * inside_s).sum() / inside_s.sum())
    later = float(steps["hosts_least"][ends_s > end_s].max(initial=0.0))
    return end_s if needed <= later * (1 + RELATIVE) else 0.0


def _awake(run: PlayedCase) -> tuple[Floats, Ints]:
    """Return times of changes and the number of hosts on, booting or stopping, (times, groups).

    Instants ascend and are all different: of several changes at one instant the last is kept, so
    that a host that is off and on again at once is not counted twice.
    """
    table, groups = run.records["awake"], len(run.farm.hosts.group_names)
    times_s = np.asarray(table["time_s"], np.float64)[::groups]
    counts = np.asarray(table["hosts"], np.int64).reshape(-1, groups)
    last = np.append(np.diff(times_s) > 0, True)
    return times_s[last], counts[last]


def _descent_end_s(run: PlayedCase, every_s: float, rise_s: float) -> float:
    """Return when the last host of the initial descent was powered down; 0 without a descent.

    ``every_s`` is the time between control rounds, ``rise_s`` when a host was first switched on.
    Hosts that a repair leaves off do not count.
    """
    table = run.records["power_events"]
    order = np.lexsort((table["time_s"], table["host"]))
    time_s, host, state = (table[name][order] for name in ("time_s", "host", "state"))
    begins = np.flatnonzero(np.isin(state, LEAVING))
    until_s = np.append(time_s[1:], np.inf)
    until_s[np.append(host[1:] != host[:-1], True)] = np.inf
    same = np.append(False, host[1:] == host[:-1])
    repaired = same & (np.append(-1, state[:-1]) == PowerState.FAILED)
    off = np.flatnonzero((state == PowerState.OFF) & ~repaired)
    start_s = np.concatenate([time_s[begins], time_s[off]])
    stop_s = np.concatenate([until_s[begins], time_s[off]])
    end_s = 0.0
    for row in np.argsort(start_s, kind="stable").tolist():
        if start_s[row] >= rise_s or start_s[row] > end_s + every_s * (1 + RELATIVE):
            break
        end_s = max(end_s, float(stop_s[row]))
    return min(end_s, rise_s)


def _ever_hosting(run: PlayedCase) -> Ints:
    """Return how many hosts of each group, (groups,), ever held a VM, or memory for one."""
    hosts = run.farm.hosts
    held = run.farm.accounts.peak_memory_mib > 0
    return np.bincount(hosts.group[held], minlength=len(run.case.host_models))


def _standby_j(run: PlayedCase, times_s: Floats, awake: Ints, paid: Ints) -> Floats:
    """Return what hosts that are not paid for drew, by group.

    At any time the hosts of a group that are not paid for are among those at rest; they drew the
    mean power of that. What hosts drew while they were awake always counts.
    """
    hosts, sleep_record = run.farm.hosts, run.outcome.sleep_record
    groups = len(run.case.host_models)

    def by_group(per_host: Floats) -> Floats:
        return sum_by(hosts.group, weights=per_host, minlength=groups)

    surplus = np.asarray(run.case.host_counts, np.int64) - paid
    length_s = np.diff(np.append(times_s, run.end_s))
    resting = np.maximum(np.asarray(run.case.host_counts) - awake, 0)
    surplus_s = (np.minimum(resting, surplus) * length_s[:, None]).sum(axis=0)
    off_s, off_j = (
        by_group(sleep_record.off_s.sum(axis=0)),
        by_group(sleep_record.off_j.sum(axis=0)),
    )
    mean_w = np.divide(off_j, off_s, out=np.zeros(groups), where=off_s > 0)
    standby_j: Floats = np.minimum(surplus_s, off_s) * mean_w
    return standby_j


def _of_empty(run: PlayedCase, rate: int, surplus: Ints) -> Floats:
    """Return the integral of a rate over hosts that never held a VM and are not paid for."""
    hosts, groups = run.farm.hosts, len(run.case.host_models)
    empty = run.farm.accounts.peak_memory_mib <= 0
    totals = run.farm.accounts.totals[rate]
    count = np.bincount(hosts.group[empty], minlength=groups)
    sums: Floats = sum_by(hosts.group[empty], weights=totals[empty], minlength=groups)
    share = np.divide(surplus, count, out=np.zeros(groups), where=count > 0)
    made: Floats = sums * np.minimum(share, 1.0)
    return made
