"""Which moves a farm bars: no model carries them, or the target may not hold the VM."""

from ...models.base.arrays import Bools, Ints
from ...models.farm.farm import Farm
from ...models.migration.model_table import MigrationModels


class MigrationFeasibility:
    """What the models and the layer of one farm say of moves between its hosts."""

    def __init__(self, farm: Farm, models: MigrationModels) -> None:
        self._farm, self._models = farm, models
        self._allowed = farm.delivery.layer.allowed

    def possible(self, vms: Ints, targets: Ints) -> Bools:
        """Return which moves of VMs from where they are can be."""
        vm, group = self._farm.vms, self._farm.hosts.group
        size, target = vm.size[vms], group[targets]
        possible = self._models.possible(size, group[vm.host[vms]], target)
        return possible & self._allowed[size, target]

    def reason(self, vm: int, target: int) -> str:
        """Return why a move cannot be; empty if it can."""
        vms, group = self._farm.vms, self._farm.hosts.group
        size, left, gone_to = int(vms.size[vm]), int(group[vms.host[vm]]), int(group[target])
        if not self._allowed[size, gone_to]:
            return "the hosts there are kept from VMs of its tenant or size"
        return self._models.reason(size, left, gone_to)
