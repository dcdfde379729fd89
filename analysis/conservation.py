"""What must hold at the end of every run, whatever happened in it."""

import numpy as np

from ..models.accounts import Rate
from ..models.columns import VmState
from ..sim.engine import Outcome

RELATIVE = 1e-9


class ConservationError(Exception):
    """A balance does not close: a fault of farmsim, not of the input."""


def check(outcome: Outcome, metrics: dict[str, float]) -> None:
    """Check the balances of a run. Raises ConservationError naming the first that fails."""
    _vms_kept(outcome)
    _memory_within(outcome)
    _energy_agrees(outcome, metrics)
    _service_agrees(outcome)
    _times_agree(outcome)
    for name, value in metrics.items():
        _require(bool(np.isfinite(value)), f"{name} is {value}")


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ConservationError(what)


def _near(one: float, other: float, what: str) -> None:
    scale = max(abs(one), abs(other), 1.0)
    _require(abs(one - other) <= RELATIVE * scale, f"{what}: {one!r} against {other!r}")


def _vms_kept(outcome: Outcome) -> None:
    vms, hosts = outcome.farm.vms, outcome.farm.hosts
    state = vms.state
    placed = (state == VmState.RUNNING) | (state == VmState.MIGRATING)
    ended = np.isin(state, (VmState.FINISHED, VmState.REJECTED, VmState.LOST))
    _require(bool(np.all(placed | ended)), "a VM is neither running, finished, rejected nor lost")
    _require(bool(np.all((vms.host >= 0) == placed)), "a VM runs without a host, or the reverse")
    counted = np.bincount(vms.host[placed], minlength=len(hosts))
    _require(bool(np.array_equal(counted, hosts.vm_count)), "VM counts of hosts do not add up")


def _memory_within(outcome: Outcome) -> None:
    hosts = outcome.farm.hosts
    peak_mib = outcome.farm.accounts.peak_memory_mib
    _require(bool(np.all(peak_mib <= hosts.memory_mib + 1e-3)), "a host held more than its memory")


def _energy_agrees(outcome: Outcome, metrics: dict[str, float]) -> None:
    hosts_j = float(outcome.farm.accounts.totals[Rate.POWER_W].sum())
    series_j = float(np.diff(outcome.tables["series"]["energy_j"]).sum())
    _near(hosts_j, series_j, "energy of the hosts against the series")
    _near(hosts_j / 3.6e6, metrics["energy_kwh"], "energy of the hosts against the summary")


def _service_agrees(outcome: Outcome) -> None:
    farm = outcome.farm
    by_host = float(farm.accounts.totals[Rate.UNSERVED_MHZ].sum())
    by_vm = float(farm.vm_accounts.unserved_mhz_s.sum())
    scale = max(float(farm.vm_accounts.requested_mhz_s.sum()), 1.0)
    _require(
        abs(by_host - by_vm) <= RELATIVE * scale,
        f"CPU not served: {by_host!r} by host, {by_vm!r} by VM",
    )


def _times_agree(outcome: Outcome) -> None:
    totals = outcome.farm.accounts.totals
    on_s, switching_s = totals[Rate.ON], totals[Rate.SWITCHING]
    longest_s = outcome.end_s * (1 + RELATIVE)
    _require(bool(np.all(on_s + switching_s <= longest_s)), "a host was on for longer than the run")
    _require(bool(np.all(totals[Rate.SHORT] <= totals[Rate.ACTIVE] + 1e-6)), "violating while idle")
    steps = outcome.tables["steps"]
    _near(float(steps["time_s"][-1]), outcome.end_s, "end of the steps")
