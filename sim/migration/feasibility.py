"""Where VMs may migrate: to a target, or to a third host for a while on the way there."""

import numpy as np

from ...models.base.arrays import Bools, Floats, Ints
from ...models.farm.farm import Farm
from ...models.migration.model_table import MigrationModels
from ...models.state.columns import PowerState


class MigrationFeasibility:
    """Feasibility of migrations between the hosts of one farm.

    It knows neither power states nor memory: what it says of a pair of host groups and a VM size
    holds for the whole run.
    """

    def __init__(self, farm: Farm, models: MigrationModels) -> None:
        self._farm, self._models = farm, models
        self._allowed = farm.delivery.layer.allowed

    def possible(self, vms: Ints, targets: Ints) -> Bools:
        """Return which migrations of VMs from their hosts are possible.

        ``vms`` and ``targets``, (n,), are rows; all VMs must have a host. The result, (n,), is true
        where the migration model between the two groups of hosts can move the VM and the target's
        hypervisor accepts VMs of its size.
        """
        vm, group = self._farm.vms, self._farm.hosts.group
        size, target = vm.size[vms], group[targets]
        possible = self._models.possible(size, group[vm.host[vms]], target)
        return possible & self._allowed[size, target]

    def reason(self, vm: int, target: int) -> str:
        """Return why a migration is impossible; empty if it is possible.

        The VM must have a host. The text completes a refusal in the table of decisions.
        """
        vms, group = self._farm.vms, self._farm.hosts.group
        size, left, gone_to = int(vms.size[vm]), int(group[vms.host[vm]]), int(group[target])
        if not self._allowed[size, gone_to]:
            return "the hosts there are kept from VMs of its tenant or size"
        return self._models.reason(size, left, gone_to)


class ThirdHosts:
    """Hosts of a farm that may run a VM between its source and its target.

    A third host is used only where migrations wait for each other's memory, so both searches go
    through all hosts: (hosts,) operations per call.
    """

    def __init__(self, farm: Farm, models: MigrationModels) -> None:
        self._farm, self._models = farm, models

    def best(self, vm: int, target: int, free_mib: Floats, expected: Bools) -> Ints:
        """Return hosts with capacity for a VM, from which it can reach its target, best first.

        Awake ones come first, then those that no other VM is ``expected`` at, then the emptiest.

        ``free_mib`` and ``expected``, (hosts,), are the memory free now and whether a migration
        held back goes there. The result holds rows of hosts and may be empty. A sleeping host
        counts as usable, a closed or failed one does not.
        """
        farm, hosts = self._farm, self._farm.hosts
        everywhere = np.arange(len(hosts))
        fits = farm.delivery.footprint_mib(np.full(len(hosts), vm), everywhere) <= free_mib
        fits &= self._groups(vm, target)[hosts.group]
        fits &= (hosts.state == PowerState.ON) | (hosts.state == PowerState.OFF)
        fits &= hosts.in_service
        taken = hosts.vm_count + hosts.incoming > 0
        fits &= ~(farm.delivery.layer.one_guest[hosts.group] & taken)
        fits[farm.vms.host[vm]] = False
        rows = np.flatnonzero(fits)
        awake = hosts.state[rows] == PowerState.ON
        return rows[np.lexsort((-free_mib[rows], expected[rows], ~awake))]

    def instead(self, vm: int, source: int, free_mib: Floats) -> Ints:
        """Return the hosts that a VM on storage may go on at, the best first.

        It has left its ``source``. Awake hosts come first, then the emptiest.

        ``free_mib``, (hosts,), is the memory free now. The result holds rows of hosts and may be
        empty. Called for a VM in state ``SUSPENDED`` whose target has failed or is cut off.
        """
        farm, hosts = self._farm, self._farm.hosts
        fits = farm.delivery.footprint_mib(np.full(len(hosts), vm), np.arange(len(hosts)))
        able = (fits <= free_mib) & hosts.reachable
        able &= (hosts.state == PowerState.ON) | (hosts.state == PowerState.OFF)
        size, group = np.full(len(hosts), farm.vms.size[vm]), hosts.group
        able &= farm.delivery.layer.allowed[size, group]
        left = np.full(len(hosts), group[source])
        able &= self._models.possible(size, left, group)
        taken = hosts.vm_count + hosts.incoming > 0
        able &= ~(farm.delivery.layer.one_guest[group] & taken)
        rows = np.flatnonzero(able)
        awake = hosts.state[rows] == PowerState.ON
        return rows[np.lexsort((-free_mib[rows], ~awake))]

    def _groups(self, vm: int, target: int) -> Bools:
        """Return the groups of hosts to and from which a VM can be migrated."""
        farm, group = self._farm, self._farm.hosts.group
        groups = np.arange(len(farm.hosts.group_names))
        size = np.full(len(groups), farm.vms.size[vm])
        left = np.full(len(groups), group[farm.vms.host[vm]])
        gone_to = np.full(len(groups), group[target])
        possible = self._models.possible(size, left, groups)
        possible &= self._models.possible(size, groups, gone_to)
        allowed: Bools = possible & farm.delivery.layer.allowed[farm.vms.size[vm]]
        return allowed
