"""The read-only view of the farm for policies."""

from collections.abc import Callable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from ...models.accounts.accounts import HostAccounts, Rate
from ...models.base.arrays import Bools, Floats, Ints, States, sum_by
from ...models.hardware.power_curves import PowerBank
from ...models.rules.reserve import AllowedHosts
from ...models.state.columns import Hosts, PowerState, Vms, VmState
from ...models.state.utilisation_history import Ring
from .policy_states import PolicyStates
from .reserve_book import Book, FarmReserve, ReserveBook, ReserveBooks

if TYPE_CHECKING:
    from ...models.delivery.cpu_delivery import Delivery
    from ...models.delivery.overhead_tables import Layer
    from ...models.farm.farm import Farm
    from ...models.rules.rules import Rules

T = TypeVar("T")

Draw = Callable[[str], "np.random.Generator"]


def locked(column: Any) -> Any:
    """Return an array of the same memory through which it cannot be written.

    The memory is shared: what the farm changes later is seen. The column of the owner stays
    writable.
    """
    view = column.view()
    view.flags.writeable = False
    return view


class _Columns:
    """Attributes that can be set only once, so that policies cannot replace columns."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in self.__dict__:
            raise AttributeError(f"{name} is read-only: what a policy sees cannot be written")
        super().__setattr__(name, value)

    def changed(self, **columns: object) -> Self:
        """Return the same columns but for some: how things will be.

        Columns given are taken as they are; pass locked arrays of the same shape.
        """
        other = copy(self)
        other.__dict__.update(columns)
        return other


class HostView(_Columns):
    """Read-only columns of the hosts; see :class:`farmsim.models.state.columns.Hosts`.

    ``boots`` and ``stops`` count how often a host has been woken and put to rest, ``vm_s`` is the
    integral over time of the VMs on it, which does not grow while it is empty.

    Columns are (hosts,) in the order of the farm; CPU is in MHz, memory in MiB, time in s. All are
    listed with units in :mod:`farmsim.policies.protocol`. They show the farm as it is now, settled
    to the instant of the decision; copy what is to be kept.
    """

    def __init__(self, hosts: Hosts, accounts: HostAccounts, delivery: "Delivery") -> None:
        self.cpu_mhz: Floats = locked(hosts.cpu_mhz)
        self.core_mhz: Floats = locked(hosts.core_mhz)
        self.memory_mib: Floats = locked(hosts.memory_mib)
        self.plan_mhz: Floats = locked(hosts.plan_mhz)
        self.plan_mib: Floats = locked(hosts.plan_mib)
        self.memory_used_mib: Floats = locked(hosts.memory_used_mib)
        self.demand_mhz: Floats = locked(hosts.demand_mhz)
        self.delivered_mhz: Floats = locked(hosts.delivered_mhz)
        self.committed_mhz: Floats = locked(hosts.committed_mhz)
        self.vm_count: Ints = locked(hosts.vm_count)
        self.incoming: Ints = locked(hosts.incoming)
        self.state: States = locked(hosts.state)
        self.reachable: Bools = locked(hosts.reachable)
        self.in_service: Bools = locked(hosts.in_service)
        self.boots: Ints = locked(accounts.boots)
        self.stops: Ints = locked(accounts.stops)
        self.vm_s: Floats = locked(accounts.totals[Rate.VMS])
        self._hosts = hosts
        self.utilisation: Floats = locked(accounts.utilisation)
        self.power: PowerBank = hosts.power
        self.group: Ints = locked(hosts.group)
        self.base_mhz: Floats = locked(delivery.base_mhz)
        self.booted_s: Floats = locked(hosts.booted_s)
        self.rack: Ints = locked(hosts.rack)
        self.rack_names: Sequence[str] = hosts.rack_names
        self.cluster: Ints = locked(hosts.cluster)
        self.names: Sequence[str] = hosts.names

    def state_w(self, rows: Ints) -> Floats:
        """Return the power of hosts that are powered down or switching, in W; 0 for others."""
        return self._hosts.state_w(rows)

    def __len__(self) -> int:
        return len(self.cpu_mhz)


class VmView(_Columns):
    """Read-only columns of the VMs; see :class:`farmsim.models.state.columns.Vms`.

    ``memory_mib`` is the VM's own, ``footprint_mib`` the most that it takes on any host that it
    may be on; ``load_mhz`` is what its demand costs where it is now, in physical CPU.

    Columns are (vms,), VMs without a host included; all are listed with units in
    :mod:`farmsim.policies.protocol`. ``running`` and ``load_mhz`` are computed at each access: read
    them once.
    """

    def __init__(self, vms: Vms, delivery: "Delivery") -> None:
        self.vcpus: Ints = locked(vms.vcpus)
        self.size_mhz: Floats = locked(vms.size_mhz)
        self.memory_mib: Floats = locked(vms.memory_mib)
        self.host: Ints = locked(vms.host)
        self.state: States = locked(vms.state)
        self.demand_mhz: Floats = locked(vms.demand_mhz)
        self.moving_to: Ints = locked(vms.moving_to)
        self.size: Ints = locked(vms.size)
        self.priority: Ints = locked(vms.priority)
        self.names: Sequence[str] = vms.names
        self.footprint_mib: Floats = locked(delivery.max_mib)
        self._delivery = delivery

    @property
    def running(self) -> Bools:
        """Which VMs run, migrating or not."""
        running: Bools = (self.state == VmState.RUNNING) | (self.state == VmState.MIGRATING)
        return running

    @property
    def load_mhz(self) -> Floats:
        """Physical CPU that the demand of each VM takes on its present host, MHz."""
        load_mhz: Floats = locked(self._delivery.physical_mhz(self.demand_mhz))
        return load_mhz

    def __len__(self) -> int:
        return len(self.vcpus)


class FarmView:
    """The farm as a policy sees it at one instant.

    ``states`` is what policies keep between rounds (:meth:`state`), ``noted`` counts what the user
    is to know (:meth:`note`); ``draw`` gives the generator of a name,
    independent of every other; ``slow_cores`` tells whether a VM may go where a core is slower
    than the VM wants one to be; ``allowed`` which sizes may be on which groups of hosts (None:
    all), ``one_guest`` which hosts hold one VM at most (None: none), ``movable`` which sizes can
    move from one group to another: (sizes, groups left, groups gone to) (None: all), ``rules``
    which VMs belong together or apart and where (None: anywhere), ``reserve`` what is kept free
    (None: nothing), ``rack_limit_w`` what racks may draw in W (None: anything). ``now`` tells the
    simulated time, s.

    Histories have one row per sample, oldest first: (samples, vms) or (samples, hosts). ``allowed``
    is (sizes, groups), ``one_guest`` (hosts,). Everything may be read at any time while a policy
    decides; nothing can be written but ``memo``.
    """

    def __init__(
        self,
        farm: "Farm",
        vm_history: Ring,
        host_history: Ring,
        draw: Draw,
        slow_cores: bool = True,
        rules: "Rules | None" = None,
        reserve: FarmReserve | None = None,
        movable: Bools | None = None,
        vm_use_history: Ring | None = None,
        now: Callable[[], float] = lambda: 0.0,
        rack_limit_w: Floats | None = None,
    ) -> None:
        self._farm = farm
        self.reserve, self.lenient = reserve, False
        self.slow_cores = slow_cores
        self.rules = rules
        self.rack_limit_w: Floats | None = None if rack_limit_w is None else locked(rack_limit_w)
        self._vm_history, self._host_history = vm_history, host_history
        self._vm_use_history = vm_use_history or Ring(0, len(farm.vms))
        self.hosts = HostView(farm.hosts, farm.accounts, farm.delivery)
        self.vms = VmView(farm.vms, farm.delivery)
        layer = farm.delivery.layer
        self.allowed: Bools | None = None if layer.allowed.all() else locked(layer.allowed)
        self.one_guest: Bools | None = (
            locked(layer.one_guest[farm.hosts.group]) if layer.one_guest.any() else None
        )
        self.movable: Bools | None = None if movable is None else locked(movable)
        self._destinations = self.allowed if movable is None else _destinations(layer, movable)
        self._permits: tuple[Ints, AllowedHosts] | None = None
        self.draw = draw
        self.states = PolicyStates()
        self.noted: dict[str, int] = {}
        self._now = now

    @property
    def now_s(self) -> float:
        """The simulated time, s."""
        return self._now()

    def reserve_book(self) -> Book | None:
        """Return current allocations as a tentative book, counting migrating VMs at their target.

        None without a reserve.

        Each call makes a new book, in time proportional to the farm.
        """
        if self.reserve is None:
            return None
        if self.reserve.others:
            return ReserveBooks([self._book_of(each) for each in self.reserve.each])
        return self._book_of(self.reserve)

    def _book_of(self, reserve: FarmReserve) -> ReserveBook:
        """Return the book of one rule."""
        vms = self.vms
        home = np.where(vms.moving_to >= 0, vms.moving_to, vms.host)
        return ReserveBook(
            reserve,
            home,
            vms.footprint_mib,
            self.hosts.plan_mib,
            self.awake(),
            self.sleeping(),
            self.kinds_of_vms(),
            self.permits,
            self.lenient,
        )

    def permits(self) -> AllowedHosts:
        """Return which hosts VMs without a host may use, whatever is where.

        Power states and free capacity play no part, only sizes, groups of hosts and rules.
        """
        if self._permits is None or not np.array_equal(self._permits[0], self.vms.size):
            self._permits = self.vms.size.copy(), self._make_permits()
        return self._permits[1]

    def _make_permits(self) -> AllowedHosts:
        row, allowed = self.vms.size, self._destinations
        if self.movable is not None:
            groups = self.movable.shape[2]
            row = self.vms.size * (groups + 1) + groups
        rules = self.rules
        if allowed is None and rules is None:
            everywhere = np.ones((1, len(self.hosts)), bool)
            return AllowedHosts(np.zeros(len(row), np.int64), everywhere, self._order_matters)
        place = np.zeros(len(row), np.int64) if rules is None else rules.place_class
        pairs, classes = np.unique(np.column_stack([row, place]), axis=0, return_inverse=True)
        hosts = np.ones((len(pairs), len(self.hosts)), bool)
        if allowed is not None:
            hosts &= allowed[pairs[:, 0]][:, self.hosts.group]
        if rules is not None:
            hosts &= rules.places[pairs[:, 1]]
        return AllowedHosts(classes.ravel(), hosts, self._order_matters)

    @property
    def _order_matters(self) -> bool:
        """Whether the VMs allowed on a host depend on its current VMs, apart from capacity."""
        bound = self.rules is not None and self.rules.any_hard_on_others
        return bound or self.one_guest is not None or not self.slow_cores

    def state(self, policy: object, make: Callable[[], T]) -> T:
        """Return what a policy keeps of its own between rounds, made when it is first asked for.

        ``policy`` is the object that keeps it (``self``; of a plain function the function).

        It belongs to one policy object in one run and starts anew in the next.
        """
        return self.states.of(policy, make)

    def note(self, what: str) -> None:
        """Count an event for the run's summary."""
        self.noted[what] = self.noted.get(what, 0) + 1

    def affinity_group(self, vm: int) -> Ints:
        """Return the VMs that have to be where a VM is, itself among them."""
        return np.array([vm]) if self.rules is None else self.rules.affinity_group(vm)

    def kinds_of_vms(self) -> Ints:
        """Return a number per VM, equal for VMs of a size with the same rules."""
        return self.vms.size if self.rules is None else self.rules.kinds_of_vms(self.vms.size)

    def kinds_of_hosts(self) -> Ints:
        """Return a number per host, the same for hosts that are alike when they are empty."""
        group = self.hosts.group
        if self.rack_limit_w is not None:
            group = group * len(self.rack_limit_w) + self.hosts.rack
        return group if self.rules is None else self.rules.kinds_of_hosts(group)

    def destinations(self) -> tuple[Ints, Bools | None]:
        """Return where VMs may be or go: a row per VM, and groups of hosts by row (None: all)."""
        if self.movable is None:
            return self.vms.size, self._destinations
        groups = self.movable.shape[2]
        host = self.vms.host
        left = np.where(host >= 0, self.hosts.group[host], groups)
        return self.vms.size * (groups + 1) + left, self._destinations

    def held_mib(self, vm: int) -> float:
        """Return the memory that a VM takes on the host where it is, MiB.

        The VM must have a host. Overhead of the hypervisor there is included.
        """
        one, host = np.array([vm]), self.vms.host[[vm]]
        return float(self._farm.delivery.footprint_mib(one, host)[0])

    def vms_on(self, hosts: Ints) -> Ints:
        """Return the VMs on some hosts, ascending.

        ``hosts`` are rows; VMs that are on their way to a host are not on it yet.
        """
        return self._farm.residents.of(hosts)

    def vm_history_mhz(self, samples: int) -> Floats:
        """Return the newest demand samples per VM, oldest first: (samples held, VMs).

        What was recorded before a VM ran is not its own; see :attr:`vm_samples`.

        Fewer rows than ``samples`` come back while the run is young. A new array, which may be
        changed.
        """
        return self._vm_history.newest(samples)

    @property
    def vm_samples(self) -> Ints:
        """How many of the newest samples each VM has run through without a break."""
        samples: Ints = locked(self._vm_history.ages)
        return samples

    def vm_use_history_mhz(self, samples: int) -> Floats:
        """Return what VMs were given of their demand, as :meth:`vm_history_mhz`.

        Empty unless the policy looks at utilisation (:func:`.detector.looks_at_use`).
        """
        return self._vm_use_history.newest(samples)

    def host_history_mhz(self, samples: int) -> Floats:
        """Return the newest demand samples per host, oldest first: (samples held, hosts)."""
        return self._host_history.newest(samples)

    def use_mhz(self) -> Floats:
        """Return what each VM is given of the CPU that its demand takes, in MHz.

        A host that is short is taken to give all its guests the same share of what they ask for.

        The shape is (vms,).
        """
        hosts, vms = self.hosts, self.vms
        asked = hosts.demand_mhz > hosts.delivered_mhz
        given = np.ones(len(hosts) + 1)
        given[:-1][asked] = hosts.delivered_mhz[asked] / hosts.demand_mhz[asked]
        use_mhz: Floats = vms.load_mhz * given[vms.host]
        return use_mhz

    def expected_mhz(self) -> Floats:
        """Return the demand per host after ongoing migrations.

        The shape is (hosts,), in MHz, with what the hypervisor takes for itself. Copies under way
        are left out.
        """
        vms = self.vms
        home = np.where(vms.moving_to >= 0, vms.moving_to, vms.host)
        placed = home >= 0
        count = len(self.hosts)
        return sum_by(home[placed], weights=vms.load_mhz[placed], minlength=count) + (
            self.hosts.base_mhz
        )

    def awake(self) -> Bools:
        """Return which hosts are on or booting, reachable and in service."""
        state = self.hosts.state
        awake: Bools = (state == PowerState.ON) | (state == PowerState.BOOTING)
        return awake & self.hosts.reachable & self.hosts.in_service

    def sleeping(self) -> Bools:
        """Return which hosts are off and can be woken."""
        sleeping: Bools = (self.hosts.state == PowerState.OFF) & self.hosts.reachable
        return sleeping & self.hosts.in_service


def _destinations(layer: "Layer", movable: Bools) -> Bools:
    """Return the groups that a VM may go to, a row per size and group left, the last for none."""
    sizes, groups = layer.allowed.shape
    found = np.repeat(layer.allowed[:, None, :], groups + 1, axis=1)
    found[:, :groups] &= movable
    rows: Bools = locked(found.reshape(sizes * (groups + 1), groups))
    return rows
