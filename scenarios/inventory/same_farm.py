"""Tell whether two inventories are of the same farm, by the hosts and VMs that both name."""

from ...models.base.lazy_dataclass import dataclass
from .inventory import Inventory

LEAST_SHARED = 0.5
"""Share of the smaller inventory's names that both have, if they are of the same farm [judgement:
between two exports of one farm hosts are added and VMs come and go]."""


@dataclass(frozen=True)
class Overlap:
    """How many hosts and VMs two inventories have, and how many names both have.

    ``hosts`` and ``vms`` are (first, second, both). Names of objects of series count as well.
    """

    hosts: tuple[int, int, int]
    vms: tuple[int, int, int]

    @property
    def same_farm(self) -> bool | None:
        """Whether both are of one farm; None where they have nothing that could be compared.

        Hosts decide where both have some, since VMs move and go.
        """
        for first, second, both in (self.hosts, self.vms):
            if first and second:
                return both >= LEAST_SHARED * min(first, second)
        return None

    def __str__(self) -> str:
        return (
            f"{self.hosts[2]:,} of {self.hosts[0]:,} and {self.hosts[1]:,} hosts, "
            f"{self.vms[2]:,} of {self.vms[0]:,} and {self.vms[1]:,} VMs"
        )


def overlap(first: Inventory, second: Inventory) -> Overlap:
    """Return what two inventories have in common, by names whatever their case."""
    hosts = [_hosts(each) for each in (first, second)]
    vms = [_vms(each) for each in (first, second)]
    return Overlap(
        (len(hosts[0]), len(hosts[1]), len(hosts[0] & hosts[1])),
        (len(vms[0]), len(vms[1]), len(vms[0] & vms[1])),
    )


def _hosts(inventory: Inventory) -> set[str]:
    names = {host.name.casefold() for host in inventory.hosts}
    return names | {each.object.casefold() for each in inventory.series if each.kind == "host"}


def _vms(inventory: Inventory) -> set[str]:
    names = {vm.name.casefold() for vm in inventory.vms}
    return names | {each.object.casefold() for each in inventory.series if each.kind == "vm"}
