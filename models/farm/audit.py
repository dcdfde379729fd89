"""The farm's invariants, computed from scratch and compared with its state."""

import numpy as np

from ..accounts.accounts import Rate
from ..base.arrays import Floats
from ..state.columns import PowerState, VmState
from .farm import Farm
from .farm_state import MEMORY_TOLERANCE_MIB, FarmError, FarmState


def audit(farm: Farm) -> None:
    """Check every invariant. Raises FarmError naming the first that does not hold."""
    state = farm.state
    _check_residents(state)
    _migration_load(state)
    _sums_of_hosts(state)
    _rates_of_hosts(state)


def _require(holds: bool, what: str) -> None:
    """Raise FarmError with what is wrong unless it holds."""
    if not holds:
        raise FarmError(f"audit: {what}")


def _check_residents(state: FarmState) -> None:
    """Check that running VMs, and only they, are on one host each, and where they go."""
    vms, hosts = state.vms, state.hosts
    running = np.isin(vms.state, (VmState.RUNNING, VmState.MIGRATING, VmState.STARTING))
    _require(
        bool(np.all((vms.host >= 0) == running)),
        "a running VM has no host, or a VM on a host does not run",
    )
    moving = vms.state == VmState.MIGRATING
    _require(bool(np.all((vms.moving_to >= 0) == moving)), "a migrating VM has no target")
    everywhere = [state.residents.of(np.array([host])) for host in range(len(hosts))]
    listed = np.concatenate(everywhere) if everywhere else np.empty(0, np.int64)
    _require(len(np.unique(listed)) == len(listed), "a VM is on two hosts")
    _require(bool(np.array_equal(np.sort(listed), np.flatnonzero(running))), "a VM was lost")
    for host, found in enumerate(everywhere):
        _require(bool(np.all(vms.host[found] == host)), "residents and hosts disagree")


def _migration_load(state: FarmState) -> None:
    """Check that each copy loads the two hosts that its VM is at and goes to, or came from."""
    vms, migration_load = state.vms, state.migration_load
    copied = np.flatnonzero(migration_load.source >= 0)
    source, target = migration_load.source[copied], migration_load.target[copied]
    moving = vms.state[copied] == VmState.MIGRATING
    at = np.where(moving, source, target)
    _require(
        bool(np.all(vms.host[copied] == at)),
        "a VM is being copied that is on neither of the two hosts",
    )
    to = np.where(moving, target, -1)
    _require(bool(np.all(vms.moving_to[copied] == to)), "a copy has another target than its VM")
    _require(len(copied) == migration_load.active, "copies do not add up")


def _sums_of_hosts(state: FarmState) -> None:
    """Check what hosts hold: memory, sizes, vCPUs, VMs, and guests that come or have left.

    Memory is never overcommitted, hosts that are off hold nothing, VMs that do not run ask nothing.
    """
    vms, hosts = state.vms, state.hosts
    count = len(hosts)
    home, movers = np.flatnonzero(vms.host >= 0), np.flatnonzero(vms.moving_to >= 0)
    at, to = vms.host[home], vms.moving_to[movers]
    memory_mib = np.bincount(at, weights=state.delivery.footprint_mib(home, at), minlength=count)
    coming_mib = state.delivery.footprint_mib(movers, to)
    memory_mib += np.bincount(to, weights=coming_mib, minlength=count)
    away = np.flatnonzero(vms.pages_at >= 0)
    kept_at = vms.pages_at[away]
    kept_mib = state.delivery.footprint_mib(away, kept_at)
    memory_mib += np.bincount(kept_at, weights=kept_mib, minlength=count)
    sending = np.bincount(kept_at, minlength=count)
    _require(bool(np.array_equal(sending, hosts.sending)), "pages kept do not add up")
    _require(bool(np.all(vms.state[away] == VmState.RUNNING)), "pages kept of a VM that is gone")
    _require(bool(np.allclose(memory_mib, hosts.memory_used_mib)), "memory used does not add up")
    limit_mib = hosts.memory_mib + MEMORY_TOLERANCE_MIB
    _require(bool(np.all(hosts.memory_used_mib <= limit_mib)), "memory is overcommitted")
    committed_mhz = np.bincount(at, weights=vms.size_mhz[home], minlength=count)
    _require(bool(np.allclose(committed_mhz, hosts.committed_mhz)), "sizes do not add up")
    vcpus = np.bincount(at, weights=vms.vcpus[home], minlength=count)
    _require(bool(np.array_equal(vcpus, hosts.vcpus)), "vCPUs do not add up")
    guests = np.bincount(at, minlength=count)
    _require(bool(np.array_equal(guests, hosts.vm_count)), "VM counts do not add up")
    incoming = np.bincount(to, minlength=count)
    _require(bool(np.array_equal(incoming, hosts.incoming)), "incoming VMs do not add up")
    on = (hosts.state == PowerState.ON) | (hosts.state == PowerState.DRAINING)
    starting = np.bincount(vms.host[home[vms.state[home] == VmState.STARTING]], minlength=count)
    may = on | ((hosts.state == PowerState.BOOTING) & (guests == starting))
    _require(not np.any(guests[~may]), "a host that is off has VMs")
    away = (vms.host < 0) & (vms.state != VmState.SUSPENDED)
    mute = vms.demand_mhz[away | (vms.state == VmState.STARTING)]
    _require(not np.any(mute), "a VM that does not run asks for CPU")


def _rates_of_hosts(state: FarmState) -> None:
    """Check what hosts deliver against what is asked of them, and that nothing is left over.

    Where overheads change what is asked, the sum over VMs is not compared.
    """
    vms, hosts, rates = state.vms, state.hosts, state.accounts.rates
    count = len(hosts)
    home, migration_load = np.flatnonzero(vms.host >= 0), state.migration_load
    delivery, copied = state.delivery, np.flatnonzero(migration_load.source >= 0)
    physical_mhz = delivery.wanted_mhz(home) * vms.guest_share[home] * delivery.effort[home]
    demand_mhz = np.bincount(vms.host[home], weights=physical_mhz, minlength=count)
    for ends, share in (
        (migration_load.source, migration_load.source_share),
        (migration_load.target, migration_load.target_share),
    ):
        asked_mhz = share[copied] * vms.demand_mhz[copied]
        demand_mhz += np.bincount(ends[copied], weights=asked_mhz, minlength=count)
    # Crowding and neighbours add to the work of hosts, I/O ceilings take from that of others.
    simple = ~(delivery.saturated & delivery.adjusts) & (not delivery.contended)
    demand_mhz = np.where(simple, demand_mhz + _own_mhz(state), hosts.demand_mhz)
    _require(bool(np.allclose(demand_mhz, hosts.demand_mhz)), "demand does not add up")
    delivered_mhz = rates[Rate.DELIVERED_MHZ]
    _require(bool(np.all(delivered_mhz <= hosts.cpu_mhz + 1e-9)), "more delivered than there is")
    _require(bool(np.all(delivered_mhz <= demand_mhz + 1e-6)), "more delivered than asked for")
    on = rates[Rate.ON] > 0
    short = delivered_mhz[on] < np.minimum(demand_mhz, hosts.cpu_mhz)[on] - 1e-6
    _require(not np.any(short), "CPU is left over while a VM is not fully served")
    _require(bool(np.all(rates[Rate.UNSERVED_MHZ] >= 0)), "negative shortage")


def _own_mhz(state: FarmState) -> Floats:
    """Return what hosts ask for themselves while they are on."""
    layer, group = state.delivery.layer, state.hosts.group
    on = state.accounts.rates[Rate.ON] > 0
    own_mhz: Floats = (layer.base_mhz + layer.app_mhz)[group] * on
    return own_mhz
