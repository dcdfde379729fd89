"""Conservation laws that must hold at the end of every run.

Sums that are kept in two ways must agree up to rounding: energy by host and over time, work by VM
and by host, bytes by migration and by link. A breach is a fault of farmsim.

Where sums are compared the tolerance is relative, 1e-9 of the larger: what double precision loses
over some millions of additions. Run at the end of each run, in release as in tests.
"""

from collections.abc import Collection

import numpy as np

from ...models.accounts.accounts import Rate
from ...models.migration.course import BYTES_PER_MIB
from ...models.rules.rules import Rules
from ...models.state.columns import VmState
from ...sim.outcome import Outcome
from ..topics.rules import hard_rules_broken
from ..topics.service import CAUSES, work_of

RELATIVE = 1e-9


class ConservationError(Exception):
    """A balance does not close: a bug in farmsim, not an input error."""


def check(
    outcome: Outcome,
    metrics: dict[str, float],
    rules: Rules | None = None,
    broken_at_start: Collection[str] = (),
) -> None:
    """Check the balances of a run. Raises ConservationError naming the first that fails.

    ``metrics`` are those of the run; with ``rules`` no hard rule may be broken as it ends, but for
    those that the run began with, named by ``broken_at_start``.

    Balances are checked in a fixed order, those of states before those of sums, so that the first
    breach is as near to its cause as can be. Nothing is changed. A run without VMs, without
    migrations or without a network passes: its sums are all 0.
    """
    _vms_kept(outcome)
    _memory_within(outcome)
    _energy_agrees(outcome, metrics)
    _service_agrees(outcome)
    _work_agrees(outcome, metrics)
    _times_agree(outcome)
    _migrations_agree(outcome)
    _links_agree(outcome)
    if rules is not None:
        found = hard_rules_broken(rules, outcome)
        broken = [name for name in found if name not in broken_at_start]
        _require(not broken, f"hard rules are broken: {', '.join(broken)}")
    for name, value in metrics.items():
        _require(bool(np.isfinite(value)), f"{name} is {value}")


def _require(holds: bool, what: str) -> None:
    """Raise ConservationError saying ``what`` is wrong unless a condition holds."""
    if not holds:
        raise ConservationError(what)


def _near(one: float, other: float, what: str) -> None:
    """Require two sums to agree up to rounding, relative to the larger, or to 1."""
    scale = max(abs(one), abs(other), 1.0)
    _require(abs(one - other) <= RELATIVE * scale, f"{what}: {one!r} against {other!r}")


def _vms_kept(outcome: Outcome) -> None:
    """Check that each VM is in a state that fits its host and its times; counts of hosts too.

    Running, migrating and starting VMs are on a host; all others are on none. A VM that ended has
    an end, one that was never asked for has no times at all.
    """
    vms, hosts = outcome.farm.vms, outcome.farm.hosts
    state = vms.state
    placed = np.isin(state, (VmState.RUNNING, VmState.MIGRATING, VmState.STARTING))
    away = np.isin(state, (VmState.WAITING, VmState.SUSPENDED, VmState.ABSENT))
    ended = np.isin(state, (VmState.FINISHED, VmState.REJECTED, VmState.LOST))
    _require(bool(np.all(placed | away | ended)), "a VM has no state")
    lives = outcome.lives
    gone = ~np.isnan(lives.ended_s) & (state != VmState.ABSENT)
    _require(bool(np.all(gone[ended] | np.isnan(lives.asked_s[ended]))), "a VM ended at no time")
    _require(not np.any(gone & ~ended), "a VM has ended but is still on a host")
    _require(bool(np.all((vms.host >= 0) == placed)), "a VM runs without a host, or the reverse")
    counted = np.bincount(vms.host[placed], minlength=len(hosts))
    _require(bool(np.array_equal(counted, hosts.vm_count)), "VM counts of hosts do not add up")


def _memory_within(outcome: Outcome) -> None:
    """Check that no host ever held more than its memory, MiB.

    Held is what guests take with the hypervisor's share of each, and what is set aside for VMs on
    their way; a thousandth of a MiB is allowed for rounding.
    """
    hosts = outcome.farm.hosts
    peak_mib = outcome.farm.accounts.peak_memory_mib
    _require(bool(np.all(peak_mib <= hosts.memory_mib + 1e-3)), "a host held more than its memory")


def _energy_agrees(outcome: Outcome, metrics: dict[str, float]) -> None:
    """Check the energy of hosts against that of the series and of the summary.

    The first is the integral of power per host in J, the second the sum over the intervals of the
    series, the third that of the summary in kWh (1 kWh = 3.6e6 J), with the energy of hosts left
    out.
    """
    hosts_j = float(outcome.farm.accounts.totals[Rate.POWER_W].sum())
    series_j = float(np.diff(outcome.tables["series"]["energy_j"]).sum())
    _near(hosts_j, series_j, "energy of the hosts against the series")
    summed_kwh = metrics["energy_kwh"] + metrics.get("energy_excluded_kwh", 0.0)
    _near(hosts_j / 3.6e6, summed_kwh, "energy of the hosts against the summary")


def _service_agrees(outcome: Outcome) -> None:
    """Check that CPU not served is the same summed by host and by VM, MHz s."""
    farm = outcome.farm
    by_host = float(farm.accounts.totals[Rate.UNSERVED_MHZ].sum())
    by_vm = float(farm.vm_accounts.unserved_mhz_s.sum())
    scale = max(float(farm.vm_accounts.requested_mhz_s.sum()), 1.0)
    _require(
        abs(by_host - by_vm) <= RELATIVE * scale,
        f"CPU not served: {by_host!r} by host, {by_vm!r} by VM",
    )


def _work_agrees(outcome: Outcome, metrics: dict[str, float]) -> None:
    """Check that the causes of work not done add up, by VM and by host and in the summary.

    Work of saturated hosts is summed by host as well. No VM may miss more than it asked for, and
    the shares of the summary add up to 1 with the work served.
    """
    farm, work = outcome.farm, work_of(outcome)
    scale = RELATIVE * max(float(work.asked.sum()), 1.0)
    accounts, not_done = farm.vm_accounts, work.not_done
    by_host = float(farm.accounts.totals[Rate.SATURATED_MHZ].sum())
    by_vm = float(not_done["saturated"].sum())
    _require(
        abs(by_host - by_vm) <= scale,
        f"CPU not served by saturated hosts: {by_host!r} by host, {by_vm!r} by VM",
    )
    whole = accounts.unserved_mhz_s + accounts.degraded_mhz_s + not_done["not_running"]
    apart = float(np.abs(whole - work.missed).max(initial=0.0))
    _require(apart <= scale, f"causes of work not done differ by {apart!r} MHz s for a VM")
    beyond = float((work.missed - work.asked).max(initial=0.0))
    _require(beyond <= scale, f"a VM lost {beyond!r} MHz s more than it requested")
    if "unserved_share" in metrics:
        causes = float(np.sum([metrics[f"unserved_{cause}_share"] for cause in CAUSES]))
        _near(causes, metrics["unserved_share"], "causes of work not done against the summary")
        _near(metrics["work_served_share"] + causes, 1.0, "work served and not served")
        whole_ghz_h = metrics["work_requested_ghz_h"] * metrics["work_served_share"]
        _near(whole_ghz_h, metrics["work_served_ghz_h"], "work served against work asked for")


def _times_agree(outcome: Outcome) -> None:
    """Check that no host was on for longer than the run, nor violating while idle.

    A host is on or switching, never both, and violates its agreement only while it has work: these
    are the numerator and the denominator of SLATAH. The last step of the run must be at its end.
    """
    totals = outcome.farm.accounts.totals
    on_s, switching_s = totals[Rate.ON], totals[Rate.SWITCHING]
    longest_s = outcome.end_s * (1 + RELATIVE)
    _require(bool(np.all(on_s + switching_s <= longest_s)), "a host was on for longer than the run")
    _require(
        bool(np.all(totals[Rate.VIOLATING] <= totals[Rate.ACTIVE] + 1e-6)), "violating while idle"
    )
    steps = outcome.tables["steps"]
    _near(float(steps["time_s"][-1]), outcome.end_s, "end of the steps")


def _migrations_agree(outcome: Outcome) -> None:
    """Check that each migration has an end within the run, and its times their order.

    Times of a migration are ordered decided ≤ started ≤ ended; its downtime is at most its length.
    A downtime that is not known is NaN and compares as false.
    """
    moves = outcome.tables["migrations"]
    start_s, end_s = moves["start_s"], moves["end_s"]
    ended = np.isfinite(end_s) & (end_s <= outcome.end_s * (1 + RELATIVE))
    _require(bool(np.all(ended)), "a migration has no end within the run")
    in_order = (moves["decided_s"] <= start_s) & (start_s <= end_s)
    _require(bool(np.all(in_order)), "a migration started before its decision or after its end")
    slack_s = RELATIVE * outcome.end_s
    longer = moves["downtime_s"] > end_s - start_s + slack_s  # not where it is not known
    _require(not np.any(longer), "the downtime of a migration is longer than the migration")


def _links_agree(outcome: Outcome) -> None:
    """Check that links carried exactly the traffic of migrations over their routes.

    Every link on the route from source to target carries the bytes of a migration, its reverse the
    cross traffic of the transport. Not checked where links failed: routes are no longer known then.

    Bytes are compared link by link, up to 1e-9 of what is expected and one byte. A run without a
    network has no links and passes.
    """
    # Where links have failed, which way a move went is no longer known.
    if outcome.network is None or outcome.network.network.rerouted:
        return
    network, cross = outcome.network.network, outcome.network.transport.cross_traffic
    moves, phases = outcome.tables["migrations"], outcome.tables["migration_phases"]
    ends = np.stack([moves["source"], moves["target"]], axis=1)
    pairs, pair_of = np.unique(ends, axis=0, return_inverse=True)
    # By phases: what a move at a fixed rate copies goes beside the network.
    pair_of = pair_of.ravel()[phases["move"]]
    sent_mib = np.bincount(pair_of, weights=phases["sent_mib"], minlength=len(pairs))
    expected = np.zeros(len(network))
    for (source, target), mib in zip(pairs.tolist(), sent_mib.tolist(), strict=True):
        if not mib:
            continue  # by way of storage a VM may come back to where it was
        route = network.route(source, target)
        np.add.at(expected, route, mib * BYTES_PER_MIB)
        np.add.at(expected, network.reverse[route], cross * mib * BYTES_PER_MIB)
    carried = outcome.tables["links"]["sent_bytes"]
    apart = np.abs(carried - expected)
    # A byte more: what is sent by now comes from a difference of times, rounded where it is late.
    link = int(np.argmax(apart - RELATIVE * expected))
    _require(
        bool(apart[link] <= RELATIVE * expected[link] + 1.0),
        f"link {network.names[link]} carried {carried[link]!r} bytes, migrations sent "
        f"{expected[link]!r} over it",
    )
