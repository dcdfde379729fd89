"""The farm of a run, changed only through its verbs.

Every verb first settles the integrals of the hosts that it touches, then changes, then
recomputes what it touched (see :mod:`.farm_rates`). A verb that would break an invariant raises
:class:`.farm_state.FarmError` and changes nothing: a VM is on at most one host, memory is never
beyond what a host has (a migration reserves it at both ends), VMs live only on hosts that are on.

All verbs take rows of VMs and hosts, shape (n,), the same VM once at most, and ``now_s``, the
present in s, which never goes back. CPU is in MHz, memory in MiB, shares are in [0, 1].
"""

import numpy as np

from ..base.arrays import Bools, Floats, Ints, States, distinct
from ..delivery.overhead_tables import Layer
from ..state.columns import Hosts, PowerState, Vms, VmState
from .farm_rates import FarmRates
from .farm_state import FarmError, FarmState, PlacementObserver, ViolationRule
from .farm_steps import FarmSteps
from .fast_path import SERVING, FastPath
from .few_vms import FewVms
from .slot_batch import SlotBatches


class Farm:
    """Hosts and VMs in columns, their accounts, and the verbs.

    With ``all_present`` every VM is there from the start and stays; otherwise passes over the VMs
    cost in proportion to those that are present, however many there will ever be. ``violation``
    says what counts as violation time of a host, ``layer`` what hypervisors cost (None: nothing).

    Columns and accounts are public to be read; they are those of ``state``, which explains them.
    ``ledgers`` are settled whenever the integrals of a host are; ``own_ledgers``, which know since
    when each VM is to be accounted for, only before a host changes. ``changed`` collects the hosts
    whose free capacity may have changed since somebody cleared it.
    """

    def __init__(
        self,
        hosts: Hosts,
        vms: Vms,
        violation: ViolationRule | None = None,
        layer: Layer | None = None,
        all_present: bool = True,
    ) -> None:
        state = FarmState(hosts, vms, violation or ViolationRule(), layer, all_present)
        self.state, self.hosts, self.vms = state, hosts, vms
        self.accounts, self.vm_accounts = state.accounts, state.vm_accounts
        self.presence, self.not_running = state.presence, state.not_running
        self.residents, self.delivery = state.residents, state.delivery
        self.ledgers, self.own_ledgers = state.ledgers, state.own_ledgers
        self.changed = state.changed
        self._rates = FarmRates(state)
        self._steps = FarmSteps(state, self._rates)
        self._fast_path = FastPath(state, self._rates)
        self.slot_batches = SlotBatches(state, self._rates)
        self.few_vms = FewVms(state, self._rates)
        self._rates.set_rates(slice(None), slice(None), state.home)

    # What others ask

    @property
    def starting(self) -> int:
        """Number of VMs that start now: they hold their memory and do no work yet."""
        return self.state.starting

    @property
    def max_running(self) -> int:
        """The most VMs that ever ran at once."""
        return self.state.max_running

    @property
    def migrating(self) -> Ints:
        """VMs on their way to another host, ascending."""
        return self.state.migrating

    @property
    def listed(self) -> Ints | slice:
        """VMs that have been there, or on storage, at any time since the demand was set last."""
        return self.state.present.rows

    def busy_s(self, vm: int, now_s: float) -> float:
        """Return for how long a VM has worked so far, in seconds of all its vCPUs."""
        return self._rates.busy_s(vm, now_s)

    def observe_placement(self, observer: PlacementObserver) -> None:
        """Tell an observer, the only one, before VMs change place."""
        self.state.placement_observer = observer

    # Time and demand

    def settle_all(self, now_s: float) -> None:
        """Bring every integral up to ``now_s``."""
        self._rates.settle_all(now_s)

    def read(self, now_s: float) -> None:
        """Bring the integrals of hosts and VMs up to ``now_s``, where nothing changes.

        Ledgers with times of their own go on as if nobody had looked.
        """
        self._rates.read(now_s)

    def set_demand(self, demand_mhz: Floats, now_s: float) -> None:
        """Replace the demand of every VM, shape (VMs,).

        VMs that neither run nor are suspended ask for nothing, whatever their rows say.
        """
        self._rates.settle_all(now_s)
        if self._steps.ask_for(demand_mhz):
            self._rates.refresh_all()

    # VMs come and go

    def place(self, vms: Ints, hosts: Ints, now_s: float, demand_mhz: Floats | float = 0.0) -> None:
        """Let waiting VMs run on hosts that are on, asking for ``demand_mhz`` from now.

        Raises FarmError if a VM is not waiting, a host is not on, or memory runs out.
        """
        if self.few_vms.place_rows(vms, hosts, demand_mhz, now_s):
            return
        self.state.require_vms(vms, VmState.WAITING, "place")
        self.state.require_hosts(hosts, (PowerState.ON,), "place")
        self.state.require_memory(vms, hosts, "place")
        touched = self._rates.settle(hosts, now_s)
        self._steps.attach(vms, hosts, now_s)
        self._steps.run(vms, demand_mhz, now_s)
        self._rates.refresh(touched)

    def begin_start(self, vms: Ints, hosts: Ints, now_s: float) -> None:
        """Give waiting VMs their memory on hosts that are on or booting; they do no work yet.

        Raises FarmError if a VM is not waiting, a host is off or leaving, or memory runs out.
        """
        self.state.require_vms(vms, VmState.WAITING, "begin_start")
        self.state.require_hosts(hosts, (PowerState.ON, PowerState.BOOTING), "begin_start")
        self.state.require_memory(vms, hosts, "begin_start")
        touched = self._rates.settle(hosts, now_s)
        self._steps.attach(vms, hosts, now_s)
        self._steps.set_state(vms, VmState.STARTING)
        self._rates.refresh(touched)

    def finish_start(self, vms: Ints, now_s: float, demand_mhz: Floats) -> None:
        """Let VMs that were starting run, asking for ``demand_mhz`` from now.

        Raises FarmError if a VM is not starting or its host is not on.
        """
        self.state.require_vms(vms, VmState.STARTING, "finish_start")
        hosts = self.vms.host[vms]
        self.state.require_hosts(hosts, SERVING, "finish_start")
        touched = self._rates.settle(hosts, now_s)
        self._steps.run(vms, demand_mhz, now_s)
        self._rates.refresh(touched)

    def retire(self, vms: Ints, now_s: float, state: int = VmState.FINISHED) -> None:
        """Take VMs that run or start off their hosts, for good or until asked for again.

        Raises FarmError if a VM is neither running nor starting.
        """
        if not self.few_vms.retire_rows(vms, now_s, state):
            self.state.require_held(vms, "retire")
            self._rates.refresh(self._steps.take_off(vms, now_s, state))

    def suspend(self, vms: Ints, now_s: float) -> None:
        """Take running VMs off their hosts with their memory kept elsewhere.

        What they ask for until they are resumed counts as lost to migration. Raises FarmError if
        a VM is not running.
        """
        self.state.require_vms(vms, VmState.RUNNING, "suspend")
        touched = self._rates.settle(self._steps.hosts_of(vms), now_s)
        self._steps.detach(vms, now_s)
        self.presence.end(vms, now_s)
        self._steps.set_state(vms, VmState.SUSPENDED)
        self._steps.slow(vms)
        self._steps.set_guest_share(vms, 0.0, now_s)
        self._rates.refresh(touched)

    def resume(self, vms: Ints, hosts: Ints, now_s: float) -> None:
        """Let suspended VMs run on hosts that are on, from here on.

        Raises FarmError if a VM is not suspended, a host is not on, or memory runs out.
        """
        state = self.state
        state.require_vms(vms, VmState.SUSPENDED, "resume")
        state.require_hosts(hosts, (PowerState.ON,), "resume")
        state.require_memory(vms, hosts, "resume")
        touched = self._rates.settle(hosts, now_s)
        self._rates.charge_copies(vms, now_s)
        state.slowed = state.slowed[~np.isin(state.slowed, vms)]
        self._steps.set_guest_share(vms, 1.0, now_s)
        self._steps.attach(vms, hosts, now_s)
        self.presence.begin(vms, now_s)
        self._rates.charge_excess(vms, state.demand_since_s - now_s)
        self._steps.set_state(vms, VmState.RUNNING)
        state.note_running()
        self._rates.refresh(touched)

    # VMs without a host

    def leave_waiting(self, vms: Ints, state: int) -> None:
        """End the wait of VMs without a host: rejected, finished, lost or absent.

        Raises FarmError if a VM is not waiting.
        """
        self.state.require_vms(vms, VmState.WAITING, "leave_waiting")
        self._steps.set_state(vms, state)

    def request(self, vms: Ints) -> None:
        """Let absent VMs wait for a host, or rejected ones wait again.

        Raises FarmError if a VM is anything else.
        """
        away = vms[self.vms.state[vms] != VmState.REJECTED]
        self.state.require_vms(away, VmState.ABSENT, "request")
        self._steps.set_state(vms, VmState.WAITING)

    # Sizes of VMs

    def resize(
        self, vms: Ints, size: Ints, vcpus: Ints, size_mhz: Floats, memory_mib: Floats,
        now_s: float,
    ) -> None:  # fmt: skip
        """Give running VMs another size where they are; their demand stays as it is.

        Raises FarmError if a VM is not running, still fetches its pages, or its host lacks the
        memory.
        """
        self.state.require_vms(vms, VmState.RUNNING, "resize")
        if np.any(self.vms.pages_at[vms] >= 0):
            raise FarmError("resize: a VM still fetches its pages")
        at = self.vms.host[vms]
        grown_mib = memory_mib + self.delivery.layer.extra_mib[size, self.hosts.group[at]]
        self.state.require_free_mib(grown_mib - self.delivery.footprint_mib(vms, at), at, "resize")
        touched = self._rates.settle(at, now_s)
        elapsed_s = now_s - self.state.demand_since_s
        self._rates.charge(vms)
        self._rates.charge_excess(vms, elapsed_s)
        self.delivery.detach(vms)
        self._steps.set_size(vms, size, vcpus, size_mhz, memory_mib)
        self.delivery.attach(vms, at)
        self._rates.charge_excess(vms, -elapsed_s)
        self._rates.refresh(touched)

    def reshape(
        self, vms: Ints, size: Ints, vcpus: Ints, size_mhz: Floats, memory_mib: Floats
    ) -> None:
        """Give absent VMs the size that they will have. Raises FarmError if a VM is not absent."""
        self.state.require_vms(vms, VmState.ABSENT, "reshape")
        self._steps.set_size(vms, size, vcpus, size_mhz, memory_mib)

    # Migrations

    def begin_migration(
        self, vms: Ints, targets: Ints, now_s: float, guest_share: Floats | float = 1.0,
        source_share: Floats | float = 0.0, target_share: Floats | float = 0.0,
    ) -> None:  # fmt: skip
        """Reserve memory at the targets; the guests go on running at their sources.

        ``guest_share`` is the part of its CPU that a guest keeps, ``source_share`` and
        ``target_share`` the parts of its demand that the copy asks of source and target beside
        their guests. Raises FarmError if a VM is not running or already moves, is to move to its
        own host, or a target is off or short of memory.
        """
        state, verb = self.state, "begin_migration"
        state.require_vms(vms, VmState.RUNNING, verb)
        if np.any(self.vms.host[vms] == targets):
            raise FarmError(f"{verb}: a VM is to move to its own host")
        state.require_hosts(targets, (PowerState.ON, PowerState.BOOTING), verb)
        state.require_memory(vms, targets, verb)
        touched = self._rates.settle(np.concatenate([self.vms.host[vms], targets]), now_s)
        state.announce(vms, now_s)
        self.vms.moving_to[vms] = targets
        self.vms.state[vms] = VmState.MIGRATING
        state.migrating = np.sort(np.concatenate([state.migrating, vms]))
        self._steps.set_guest_share(vms, guest_share, now_s)
        sources = self.vms.host[vms]
        state.migration_load.begin(vms, sources, targets, source_share, target_share)
        self._rates.refresh(touched)

    def set_migration_load(
        self, vms: Ints, guest_share: Floats | float, source_share: Floats | float,
        target_share: Floats | float, now_s: float,
    ) -> None:  # fmt: skip
        """Set what migrating guests keep of their CPU and their copies ask of both ends.

        Raises FarmError if a VM is not migrating.
        """
        self.state.require_vms(vms, VmState.MIGRATING, "set_migration_load")
        sources, targets = self.vms.host[vms], self.vms.moving_to[vms]
        touched = self._rates.settle(np.concatenate([sources, targets]), now_s)
        self._rates.charge_copies(vms, now_s)
        self._steps.set_guest_share(vms, guest_share, now_s)
        load = self.state.migration_load
        load.end(vms)
        load.begin(vms, sources, targets, source_share, target_share)
        self._rates.refresh(touched)

    def set_migration_load_of_one(
        self, vm: int, guest_share: float, source_share: float, target_share: float, now_s: float
    ) -> None:
        """Do as :meth:`set_migration_load` for one VM, number by number where that can be."""
        shares = guest_share, source_share, target_share
        if not self._fast_path.set_load(vm, *shares, now_s):
            self.set_migration_load(np.array([vm]), *shares, now_s)

    def commit_migration(self, vms: Ints, now_s: float, pages_away: bool = False) -> None:
        """End migrations: the guests now run at their targets, the sources are free of them.

        With ``pages_away`` the sources keep their memory until :meth:`end_fetching`. Raises
        FarmError if a VM is not migrating or its target is not on.
        """
        state, targets = self.state, self.vms.moving_to[vms]
        state.require_vms(vms, VmState.MIGRATING, "commit_migration")
        state.require_hosts(targets, SERVING, "commit_migration")
        touched = self._steps.end_migration(vms, now_s)
        sources = self.vms.host[vms]
        self._steps.detach(vms, now_s)
        if pages_away:
            self.vms.pages_at[vms] = sources
            state.fetching = np.sort(np.concatenate([state.fetching, vms]))
        self._steps.attach(vms, targets, now_s)
        self._rates.charge_excess(vms, state.demand_since_s - now_s)
        self.vm_accounts.migrations[vms] += 1
        self._rates.refresh(touched)

    def commit_migration_of_one(self, vm: int, now_s: float, pages_away: bool = False) -> None:
        """Do as :meth:`commit_migration` for one VM, number by number where that can be."""
        if not self._fast_path.commit(vm, now_s, pages_away):
            self.commit_migration(np.array([vm]), now_s, pages_away)

    def end_fetching(self, vms: Ints, now_s: float) -> None:
        """Give back the memory of guests that have fetched all of their pages."""
        vms = vms[self.vms.pages_at[vms] >= 0]
        if len(vms):
            touched = self._rates.settle(self.vms.pages_at[vms], now_s)
            self._steps.forget_pages(vms)
            self._rates.refresh(touched)

    def abort_migration(self, vms: Ints, now_s: float) -> None:
        """End migrations without effect: the guests stay, the reservations are given back.

        Raises FarmError if a VM is not migrating.
        """
        self.state.require_vms(vms, VmState.MIGRATING, "abort_migration")
        self._rates.refresh(self._steps.end_migration(vms, now_s))

    def degrade(
        self, vms: Ints, sources: Ints, guest_share: float, source_share: float,
        target_share: float, now_s: float,
    ) -> None:  # fmt: skip
        """Set what running guests keep of their CPU while they boot or pages are elsewhere.

        ``sources`` are the hosts that they came from; ``source_share`` and ``target_share`` are
        what fetching pages asks of these and of the hosts that they are on, as parts of their
        demand. Shares of 1, 0 and 0 end it. Raises FarmError if a VM is not running.
        """
        self.state.require_vms(vms, VmState.RUNNING, "degrade")
        at = self.vms.host[vms]
        touched = self._rates.settle(np.concatenate([at, sources]), now_s)
        self._steps.restore(vms, now_s)
        if guest_share < 1.0:
            self._steps.slow(vms)
        self._steps.set_guest_share(vms, guest_share, now_s)
        self.state.migration_load.begin(vms, sources, at, source_share, target_share)
        self._rates.refresh(touched)

    # Hosts

    def start(self, on: Bools, sleep_state: States | None = None) -> None:
        """Set which hosts are on when time begins, shape (hosts,); no switching is counted.

        ``sleep_state`` is the sleep state of the others, one per host; absent: off. Raises
        FarmError if a host with VMs would be off.
        """
        if np.any(self.hosts.vm_count[~on]):
            raise FarmError("start: a host with VMs cannot be off")
        self.hosts.state[:] = np.where(on, PowerState.ON, PowerState.OFF)
        if sleep_state is not None:
            self.hosts.sleep_state[:] = np.where(on, 0, sleep_state)
        self.changed.update(range(len(on)))
        self._rates.refresh_all()

    def set_power_state(
        self, hosts: Ints, state: int, now_s: float, sleep_state: States | None = None
    ) -> None:
        """Change the power state of hosts, each named once, and where given their sleep state.

        Only hosts without running VMs are ever booted or switched off, so their rates follow
        from the state alone. Raises FarmError if a host that has or expects VMs, or keeps pages
        of some, would be switched off.
        """
        columns = self.hosts
        leaving = state in (PowerState.OFF, PowerState.STOPPING)
        if leaving and np.any(
            columns.vm_count[hosts] + columns.incoming[hosts] + columns.sending[hosts]
        ):
            raise FarmError("set_power_state: a host with VMs cannot be switched off")
        self.changed.update(hosts.tolist())
        before = columns.state[hosts]
        serving = (before == PowerState.ON) | (before == PowerState.DRAINING)
        if leaving:
            self.accounts.stops[hosts[serving]] += 1
        else:
            self.accounts.boots[hosts[before == PowerState.OFF]] += 1
        if state in SERVING and serving.all():
            columns.state[hosts] = state
            return
        self._rates.settle_hosts(np.sort(hosts), now_s)
        columns.state[hosts] = state
        if state in SERVING:
            columns.booted_s[hosts[~serving]] = now_s
        if sleep_state is not None:
            columns.sleep_state[hosts] = sleep_state
        elif state in SERVING:
            columns.sleep_state[hosts] = 0
        nobody = np.empty(0, np.int64)
        self._rates.set_rates(hosts, nobody, nobody)

    def crash(self, hosts: Ints, now_s: float) -> Ints:
        """Let hosts fail; return the VMs that were on them and now wait for another host.

        Raises FarmError if a VM on one of them is being moved, or a host has failed already.
        """
        if np.any(self.hosts.state[hosts] == PowerState.FAILED):
            raise FarmError("crash: a host has failed already")
        vms = self.residents.of(hosts)
        self.state.require_held(vms, "crash")
        touched = self._rates.settle(hosts, now_s)
        if len(vms):
            left = self._steps.take_off(vms, now_s, VmState.WAITING)
            touched = distinct(np.concatenate([touched, left]))
        self.hosts.state[hosts] = PowerState.FAILED
        self.hosts.sleep_state[hosts] = 0
        self.accounts.failures[hosts] += 1
        self._rates.refresh(touched)
        return vms

    def set_reachable(self, hosts: Ints, reachable: bool) -> None:
        """Cut hosts off from the network, or join them to it again; what they do goes on."""
        self.hosts.reachable[hosts] = reachable
        self.changed.update(hosts.tolist())

    def set_in_service(self, hosts: Ints, in_service: bool) -> None:
        """Close hosts for maintenance, or open them again; what is on them goes on."""
        self.hosts.in_service[hosts] = in_service
        self.changed.update(hosts.tolist())
