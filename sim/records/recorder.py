"""Records of a run: events with reasons, and the farm over time."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from ...models.accounts.accounts import Rate, ViolationChanges
from ...models.base.arrays import Floats, Ints, dot
from ...models.farm.farm import Farm
from ...policies.interface.plan import ProposalColumns
from ..base.log import Column, Log, Words
from .idle_states import SleepRecord

Columns: TypeAlias = dict[str, type]
"""Names and types of the columns of a table."""

SERIES = {
    "energy_j": Rate.POWER_W,
    "on_s": Rate.ON,
    "active_s": Rate.ACTIVE,
    "short_s": Rate.VIOLATING,
    "delivered_mhz_s": Rate.DELIVERED_MHZ,
    "unserved_mhz_s": Rate.UNSERVED_MHZ,
    "saturated_mhz_s": Rate.SATURATED_MHZ,
    "vm_s": Rate.VMS,
    "memory_mib_s": Rate.MEMORY_MIB,
    "vcpu_s": Rate.VCPUS,
    "switching_s": Rate.SWITCHING,
    "failed_s": Rate.FAILED,
}
"""Integrals over all hosts that the series follows, by column name."""

MAP_COLUMNS = 96
MAP_ROWS = 200
"""The utilisation map has at most this many rows (hosts or runs of neighbouring hosts)."""


DECISIONS: Columns = {
    "time_s": float, "vm": int, "source": int, "target": int, "rule": int, "measured": float,
    "limit": float, "considered": int, "full": int, "no_cpu": int, "no_memory": int, "vetoed": int,
    "barred": int, "rules": int, "cost": float, "outcome": int,
}  # fmt: skip
MIGRATIONS: Columns = {
    "vm": int, "source": int, "target": int, "decided_s": float, "start_s": float,
    "end_s": float, "copied_mib": float, "finished": bool, "downtime_s": float, "rounds": int,
    "source_cpu_s": float, "target_cpu_s": float, "guest_lost_s": float, "energy_j": float,
    "reaction": int, "unblocked_by": int,
}  # fmt: skip
PHASES: Columns = {
    "move": int, "vm": int, "phase": int, "start_s": float, "end_s": float, "sent_mib": float,
}  # fmt: skip
OUTAGES: Columns = {
    "source": int, "kind": int, "entity": int, "start_s": float, "end_s": float,
    "repaired": bool, "hosts": int, "vms": int,
}  # fmt: skip
VM_EVENTS: Columns = {"time_s": float, "vm": int, "event": int, "host": int}
POPULATION: Columns = dict.fromkeys(("running", "starting", "waiting", "down"), int)
POWER_EVENTS: Columns = {
    "time_s": float,
    "host": int,
    "state": int,
    "sleep_state": int,
    "cause": int,
}
VIOLATIONS: Columns = {"host": int, "start_s": float, "end_s": float, "unserved_mhz_s": float}
CAPACITIES: Columns = dict.fromkeys(("on_mhz_s", "on_mib_s", "on_core_s"), float)
HOST_SERIES: Columns = {
    "host": int, "time_s": float, "length_s": float, "energy_j": float, "on_s": float,
    "delivered_mhz_s": float, "vm_s": float,
}  # fmt: skip


class TableSource(Protocol):
    """Tables that somebody else fills and that belong to the record of the run.

    Such a source is sampled with the recorder, closed once at the end of the run, and asked for its
    tables after that.
    """

    def sample(self, now_s: float) -> None:
        """Note what has been so far; everything must be settled."""
        ...

    def close(self, end_s: float) -> None:
        """Note what lasts until the end of the run."""
        ...

    def tables(self) -> dict[str, dict[str, Column]]:
        """Return the raw tables by name."""
        ...


class Recorder:
    """Collects the tables of a run; rows refer to hosts, VMs and texts by number.

    With ``host_series`` each host is sampled, too; ``sources`` add tables of their own. Times are
    in s, integrals from time 0 on.

    Its logs, one row each:

    - ``decisions``: a proposal or an initial placement, with its search and outcome;
    - ``migrations``: a migration that has ended, finished or not, or that the end of the run cut
      off;
    - ``phases``: a phase of one of them; ``move`` is the row in ``migrations``;
    - ``outages``: a failure of an entity, when it is repaired or the run ends;
    - ``vm_events``, ``power_events``: a change in a VM's life or in a host's power state;
    - ``sleep_refusals``: a host kept awake although a policy wanted it to sleep;
    - ``violations``: a period in which a host was short of CPU, when it has ended;
    - ``awake``: hosts on or switching in a group, whenever a number changes;
    - ``population``: VMs by state, at each sample.
    """

    def __init__(
        self,
        farm: Farm,
        end_s: float,
        host_series: bool = False,
        sources: Sequence[TableSource] = (),
    ) -> None:
        self._farm, self._sources = farm, sources
        self.words = Words()
        self.decisions, self.migrations, self.phases = Log(DECISIONS), Log(MIGRATIONS), Log(PHASES)
        self._held_back: dict[int, tuple[float, int]] = {}
        self.outages, self.vm_events = Log(OUTAGES), Log(VM_EVENTS)
        self.population = Log({"time_s": float, **POPULATION})
        self.power_events = Log(POWER_EVENTS)
        self.sleep_refusals = Log({"time_s": float, "host": int, "reason": int})
        self.sleep_record = SleepRecord(farm)
        self.violations = Log(VIOLATIONS)
        self._series = Log({"time_s": float, **dict.fromkeys(SERIES, float), **CAPACITIES})
        self._steps_s = Log({"time_s": float})
        self._host_series = Log(HOST_SERIES) if host_series else None
        self._host_before = np.zeros((4, len(farm.hosts)))
        self._sampled_s = 0.0
        self._violating_since_s = np.full(len(farm.hosts), np.nan)
        self._unserved_at_start = np.zeros(len(farm.hosts))
        self._violation_end_s = np.full(len(farm.hosts), np.nan)
        self._unserved_at_end = np.zeros(len(farm.hosts))
        self._map = UtilisationMap(farm, end_s)
        self.awake = Log({"time_s": float, "group": int, "hosts": int})
        self._awake: Ints = np.full(len(farm.hosts.group_names), -1)

    def note_hosts_on(self, now_s: float = 0.0) -> None:
        """Record how many hosts are awake (on or being switched), per group, if that differs."""
        resting = self._farm.accounts.rates[Rate.ON] + self._farm.accounts.rates[Rate.SWITCHING]
        awake = np.flatnonzero(resting)
        groups = np.bincount(self._farm.hosts.group[awake], minlength=len(self._awake))
        if not np.array_equal(groups, self._awake):
            self._awake = groups
            numbers = np.arange(len(groups))
            self.awake.add(len(groups), time_s=now_s, group=numbers, hosts=groups)

    def note_decisions(
        self, now_s: float, proposals: ProposalColumns, outcomes: Sequence[str]
    ) -> None:
        """Record proposals with what became of each, and how hosts were searched for it.

        ``outcomes`` has a text per proposal; measured values and limits are recorded as the policy
        gave them.
        """
        if not len(proposals):
            return
        each = proposals
        self.decisions.add(
            len(each), time_s=now_s, vm=each.vm, source=each.source, target=each.target,
            rule=self._numbers(each.rule), measured=each.measured, limit=each.limit,
            considered=each.considered, full=each.full, no_cpu=each.no_cpu,
            no_memory=each.no_memory, vetoed=each.vetoed, barred=each.barred,
            rules=self._numbers(each.rules), cost=each.cost, outcome=self._numbers(outcomes),
        )  # fmt: skip

    def _numbers(self, texts: str | Sequence[str]) -> int | list[int]:
        """Return the numbers of texts, or of one text for all rows."""
        return self.words(texts) if isinstance(texts, str) else [*map(self.words, texts)]

    def hold_back(self, vm: int, decided_s: float, unblocked_by: str) -> None:
        """Remember when the next migration of a VM was decided, and how it was unblocked."""
        self._held_back[vm] = (decided_s, self.words(unblocked_by))

    def note_moves(self, rows: int, **columns: Any) -> None:
        """Record migrations of different VMs, including those that waited.

        ``columns`` are those of MIGRATIONS but the last, each a scalar or of length ``rows``.
        """
        unblocked_by: Any = self.words("")
        if self._held_back:
            vms = np.atleast_1d(columns["vm"]).tolist()
            decided_s = np.broadcast_to(columns["decided_s"], rows).tolist()
            told = [
                self._held_back.pop(vm, (since_s, unblocked_by))
                for vm, since_s in zip(vms, decided_s, strict=True)
            ]
            columns["decided_s"], unblocked_by = (
                np.array(column) for column in zip(*told, strict=True)
            )
        self.migrations.add(rows, unblocked_by=unblocked_by, **columns)

    def note_move(
        self, vm: int, source: int, target: int, decided_s: float, *others: float | bool
    ) -> None:
        """Do as :meth:`note_moves` for one migration, with values in the order of the columns."""
        decided_s, unblocked_by = self._held_back.pop(vm, (decided_s, self.words("")))
        self.migrations.add_row(vm, source, target, decided_s, *others, unblocked_by)

    def note_power(self, now_s: float, hosts: Ints, state: int, cause: str) -> None:
        """Record that hosts have just got another power state."""
        self.power_events.add(
            len(hosts), time_s=now_s, host=hosts, state=state,
            sleep_state=self._farm.hosts.sleep_state[hosts], cause=self.words(cause),
        )  # fmt: skip
        self.sleep_record.note(now_s, hosts)
        self.note_hosts_on(now_s)

    def note_refusals(self, now_s: float, refusals: Sequence[tuple[int, str]]) -> None:
        """Record hosts that were not powered down, and why, once per reason."""
        for host, reason in refusals:
            self.sleep_refusals.add(time_s=now_s, host=host, reason=self.words(reason))

    def note_vms(self, now_s: float, vms: Ints, event: str, hosts: Ints | int) -> None:
        """Record what happened to VMs, and on which hosts (−1: on none)."""
        if len(vms):
            self.vm_events.add(len(vms), time_s=now_s, vm=vms, event=self.words(event), host=hosts)

    def note_few_vms(
        self, now_s: float, vms: Sequence[int], event: str, hosts: Sequence[int]
    ) -> None:
        """Do as :meth:`note_vms` for a few VMs, one by one."""
        word = self.words(event)
        for vm, host in zip(vms, hosts, strict=True):
            self.vm_events.add_row(now_s, vm, word, host)

    def note_population(self, now_s: float, counts: Mapping[str, int]) -> None:
        """Record how many VMs are in which state."""
        self.population.add(time_s=now_s, **counts)

    def note_violations(self) -> None:
        """Open and close violation periods at the instants when they began or ended.

        The farm has kept these instants since the last call, host by host.
        """
        violation_changes, self._farm.accounts.violation_changes = (
            self._farm.accounts.violation_changes,
            [],
        )
        for change in violation_changes:
            if len(change.hosts) == 1:
                self._note_violation(change)
                continue
            hosts, time_s, violating, missed_mhz_s = change
            ended = ~violating
            self._violation_end_s[hosts[ended]] = time_s[ended]
            self._unserved_at_end[hosts[ended]] = missed_mhz_s[ended]
            # What ends and begins at one instant goes on.
            fresh = violating & (self._violation_end_s[hosts] != time_s)
            self._close_violations(hosts[fresh])
            self._violating_since_s[hosts[fresh]] = time_s[fresh]
            self._unserved_at_start[hosts[fresh]] = missed_mhz_s[fresh]
            self._violation_end_s[hosts[violating]] = np.nan

    def _note_violation(self, change: ViolationChanges) -> None:
        """Open or close the violation period of one host."""
        host, time_s, missed_mhz_s = (
            change.hosts.item(0), change.time_s.item(0), change.missed_mhz_s.item(0)
        )  # fmt: skip
        end_s = self._violation_end_s.item(host)
        if not change.violating.item(0):
            self._violation_end_s[host], self._unserved_at_end[host] = time_s, missed_mhz_s
            return
        if end_s != time_s:
            start_s = self._violating_since_s.item(host)
            if start_s < end_s:
                before, after = self._unserved_at_start, self._unserved_at_end
                missed = after.item(host) - before.item(host)
                self.violations.add_row(host, start_s, end_s, missed)
            self._violating_since_s[host] = time_s
            self._unserved_at_start[host] = missed_mhz_s
        self._violation_end_s[host] = np.nan

    def _close_violations(self, hosts: Ints) -> None:
        """Record the last period of each host, unless it took no time."""
        start_s, end_s = self._violating_since_s[hosts], self._violation_end_s[hosts]
        lasted = hosts[start_s < end_s]
        self.violations.add(
            len(lasted),
            host=lasted,
            start_s=self._violating_since_s[lasted],
            end_s=self._violation_end_s[lasted],
            unserved_mhz_s=self._unserved_at_end[lasted] - self._unserved_at_start[lasted],
        )

    def note_step(self, now_s: float) -> None:
        """Note a step of the workload; everything must be settled."""
        self._steps_s.add(time_s=now_s)
        self._map.note(now_s)

    def sample(self, now_s: float) -> None:
        """Record all integrals so far; everything must be settled.

        Rows hold integrals from time 0: differences of two rows are exact for the time between.
        With ``host_series`` a row per host holds what was added since the last sample.
        """
        self.note_violations()
        totals = self._farm.accounts.totals
        sums = {name: float(totals[rate].sum()) for name, rate in SERIES.items()}
        on_s, hosts = totals[Rate.ON], self._farm.hosts
        self._series.add(
            1, time_s=now_s, on_mhz_s=dot(on_s, hosts.cpu_mhz),
            on_mib_s=dot(on_s, hosts.memory_mib),
            on_core_s=dot(on_s, hosts.cpu_mhz / hosts.core_mhz), **sums,
        )  # fmt: skip
        for source in self._sources:
            source.sample(now_s)
        if self._host_series is not None:
            wanted = [Rate.POWER_W, Rate.ON, Rate.DELIVERED_MHZ, Rate.VMS]
            fresh = totals[wanted]
            energy_j, on_s, delivered, vm_s = fresh - self._host_before
            self._host_before = fresh
            length_s, self._sampled_s = now_s - self._sampled_s, now_s
            if length_s > 0:
                self._host_series.add(
                    len(energy_j), host=np.arange(len(energy_j)), time_s=now_s,
                    length_s=length_s, energy_j=energy_j,
                    on_s=on_s, delivered_mhz_s=delivered, vm_s=vm_s,
                )  # fmt: skip

    def close(self, end_s: float) -> None:
        """Close open violations and the map at the end of the run."""
        self.note_violations()
        violating = np.flatnonzero(self._farm.accounts.rates[Rate.VIOLATING] > 0)
        self._violation_end_s[violating] = end_s
        self._unserved_at_end[violating] = self._farm.accounts.totals[Rate.SATURATED_MHZ, violating]
        self._close_violations(np.flatnonzero(~np.isnan(self._violation_end_s)))
        self._map.finish(end_s)
        self.sleep_record.close(end_s)
        for source in self._sources:
            source.close(end_s)

    def tables(self) -> dict[str, dict[str, Column]]:
        """Return the raw tables by name.

        To be called after :meth:`close`. Each table is a dict of columns, arrays of equal length;
        texts are numbers of ``words``.
        """
        tables = {
            "decisions": self.decisions.columns(),
            "migrations": self.migrations.columns(),
            "migration_phases": self.phases.columns(),
            "vm_events": self.vm_events.columns(),
            "outages": self.outages.columns(),
            "population": self.population.columns(),
            "awake": self.awake.columns(),
            "power_events": self.power_events.columns(),
            "sleep_refusals": self.sleep_refusals.columns(),
            "violations": by_end(self.violations.columns()),
            "series": self._series.columns(),
            "steps": self._steps_s.columns(),
            "utilisation_map": self._map.columns(),
        }
        if self._host_series is not None:
            tables["host_series"] = self._host_series.columns()
        for source in self._sources:
            tables |= source.tables()
        return tables


def by_end(violations: dict[str, Column]) -> dict[str, Column]:
    """Return violation periods in the order in which they ended, hosts ascending."""
    order = np.lexsort([violations["host"], violations["end_s"]])
    return {name: values[order] for name, values in violations.items()}


class UtilisationMap:
    """Mean utilisation over hosts and time at a resolution that a page can show.

    Rows are runs of neighbouring hosts of nearly equal number; ``utilisation`` is work delivered
    over the CPU of all hosts, ``on_share`` the CPU of hosts on over the same.
    """

    def __init__(self, farm: Farm, end_s: float) -> None:
        self._farm = farm
        count = len(farm.hosts)
        rows = min(count, MAP_ROWS)
        self._first = np.arange(rows) * count // rows
        self._last = np.append(self._first[1:], count) - 1
        self._column_s = end_s / MAP_COLUMNS
        self._closed_s = 0.0
        self._before = np.zeros((2, rows))
        self._log = Log(
            {"first_host": int, "last_host": int, "start_s": float, "end_s": float,
             "utilisation": float, "on_share": float}
        )  # fmt: skip

    def note(self, now_s: float) -> None:
        """Close a column of the map when it is wide enough."""
        if now_s - self._closed_s >= self._column_s:
            self._add(now_s)

    def finish(self, end_s: float) -> None:
        """Close the last column, however narrow."""
        if end_s > self._closed_s:
            self._add(end_s)

    def _add(self, now_s: float) -> None:
        totals, hosts = self._farm.accounts.totals, self._farm.hosts
        worked: Floats = np.add.reduceat(totals[Rate.DELIVERED_MHZ], self._first)
        on: Floats = np.add.reduceat(totals[Rate.ON] * hosts.cpu_mhz, self._first)
        fresh = np.stack([worked, on])
        delivered, on = fresh - self._before
        whole = np.add.reduceat(hosts.cpu_mhz, self._first) * (now_s - self._closed_s)
        self._log.add(
            len(delivered), first_host=self._first, last_host=self._last,
            start_s=self._closed_s, end_s=now_s,
            utilisation=delivered / whole, on_share=on / whole,
        )  # fmt: skip
        self._before, self._closed_s = fresh, now_s

    def columns(self) -> dict[str, Column]:
        """Return the map as a table."""
        return self._log.columns()
