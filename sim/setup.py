"""All that a run is made of beside farm, demand and chance."""

from collections.abc import Sequence
from dataclasses import field, replace

import numpy as np

from ..models.base.arrays import Bools, Floats, Ints
from ..models.base.lazy_dataclass import dataclass
from ..models.farm.farm import Farm
from ..models.migration.model_table import MigrationModels
from ..models.rules.reserve import Reserve
from ..models.rules.rules import Rules
from ..policies.control.control import ControlPolicy
from ..policies.control.power_management import PowerManagement
from ..policies.placement.placement import Placement
from ..policies.user_policies.guard import guarded
from .failures import FailureSource
from .lifecycle.setup import LifecycleSetup
from .migration.over_network import NetworkSetup
from .migration.via_storage import STORAGE_MBPS
from .scaling import Elasticity


@dataclass(frozen=True)
class InitialPlacementSetup:
    """Initial placement of VMs at time 0.

    With ``by_size`` a VM counts with its size and a host with its CPU times ``overcommit``,
    otherwise a VM counts with its demand in the first slot. VMs that find no host are rejected
    and listed, or end the run. Without ``slow_cores`` no VM goes, now or later, where a core is
    slower than the VM wants one to be. With ``one_each`` VMs that arrive get a host of their own.

    ``rule`` is the name of the placement in the table of decisions. ``placement`` and ``one_each``
    also serve VMs that arrive later. VMs that are ``recorded`` on a host (vms,), by its row, start
    there whatever its room; −1 and None: there is no such host.
    """

    placement: Placement
    rule: str
    by_size: bool = True
    overcommit: float = 1.0
    reject: bool = False
    slow_cores: bool = True
    one_each: bool = False
    recorded: Ints | None = None

    def fitting(self, farm: Farm) -> Bools:
        """Return whether each VM size fits on some empty host in service.

        Where a VM counts with its demand, its size says nothing of its CPU. Sizes that no VM has
        count as fitting.
        """
        hosts, vms, layer = farm.hosts, farm.vms, farm.delivery.layer
        groups, host = np.unique(hosts.group, return_index=True)
        sizes, vm = np.unique(vms.size, return_index=True)
        need_mib = vms.memory_mib[vm][:, None] + layer.extra_mib[np.ix_(sizes, groups)]
        fits = layer.allowed[np.ix_(sizes, groups)] & (hosts.plan_mib[host] >= need_mib)
        fits &= hosts.in_service[host]
        if self.by_size:
            need_mhz = vms.size_mhz[vm][:, None]
            room_mhz = (hosts.plan_mhz - farm.delivery.base_mhz)[host] * self.overcommit
            fits &= room_mhz >= need_mhz
            if not self.slow_cores:
                fits &= hosts.core_mhz[host] >= need_mhz / vms.vcpus[vm][:, None]
        fitting: Bools = np.ones(len(vms.size_names), bool)
        fitting[sizes] = fits.any(axis=1)
        return fitting


@dataclass(frozen=True)
class Timing:
    """Length of a run and its periods, in s; with ``host_series`` every host is sampled.

    The periods are independent of each other and of the step of the demand; all beat at multiples
    of their length from time 0. ``end_s`` needs no multiple: accounts are settled at it.
    """

    end_s: float
    control_s: float
    report_s: float
    host_series: bool = False


@dataclass(frozen=True)
class EngineSetup:
    """How a farm is run; what is None, empty or left out takes no part in the run.

    ``control`` decides every ``timing.control_s`` and is recorded as ``control_name``. ``lives``
    None: all VMs are there from the start and stay. Moves use the ``network`` if ``migration`` has
    a model that does; a VM that goes by way of storage is written and read with ``storage_mbps``,
    Mbit/s. All of ``reserve`` is kept free by every placement, ``rules`` by every move;
    no placement lifts a rack above ``rack_limit_w`` (racks,).
    """

    start: InitialPlacementSetup
    control: ControlPolicy
    control_name: str
    migration: MigrationModels
    timing: Timing
    lives: LifecycleSetup | None = None
    failures: Sequence[FailureSource] = ()
    network: NetworkSetup | None = None
    rules: Rules | None = None
    elasticity: Elasticity | None = None
    reserve: tuple[Reserve, ...] = ()
    rack_limit_w: Floats | None = None
    power: PowerManagement = field(default_factory=PowerManagement)
    storage_mbps: float = STORAGE_MBPS

    def guarded(self) -> "EngineSetup":
        """Return the same with policies whose faults are told as theirs.

        What they raise, and answers that can never be right, then come as PolicyFaultError.
        Guarding what is guarded already changes nothing.
        """
        return replace(
            self,
            start=replace(self.start, placement=guarded(self.start.placement, "placement")),
            control=guarded(self.control, "control"),
            power=guarded(self.power, ""),
        )
