"""CPU load of ongoing migration copies on source and target."""

import numpy as np

from ..base.arrays import Floats, Ints, single_ints, singles, sum_by
from .columns import Vms


class MigrationLoad:
    """Copies by VM, and their load by host in MHz, as shares of the VMs' demand.

    ``source`` and ``target`` are the hosts of the copy of a VM (−1: none asks for CPU). They are
    not always where the VM is and where it goes: a guest that has arrived and fetches its pages
    is at the target already.
    """

    def __init__(self, hosts: int, vms: Vms) -> None:
        """Start without copies between so many hosts; ``vms`` are read for their demand."""
        self._vms = vms
        self.source = np.full(len(vms), -1, np.int64)
        self.target = np.full(len(vms), -1, np.int64)
        self.source_share = np.zeros(len(vms))
        self.target_share = np.zeros(len(vms))
        self.load_mhz = np.zeros(hosts)
        self._at = np.zeros(hosts, np.int64)
        self.active = 0
        self._demand_of, self._load_of = singles(vms.demand_mhz), singles(self.load_mhz)
        self._source_of, self._target_of = single_ints(self.source), single_ints(self.target)
        self._source_share_of = singles(self.source_share)
        self._target_share_of = singles(self.target_share)
        self._at_of = single_ints(self._at)

    def begin(
        self,
        vms: Ints,
        sources: Ints,
        targets: Ints,
        source_share: Floats | float,
        target_share: Floats | float,
    ) -> None:
        """Let VMs without a copy have one; shares of 0 at both ends are none.

        ``source_share`` and ``target_share`` are what the copy asks of ``sources`` and ``targets``
        as parts of the VMs' demand, one for all or one per VM.
        """
        self.source_share[vms], self.target_share[vms] = source_share, target_share
        asks = (self.source_share[vms] > 0) | (self.target_share[vms] > 0)
        self.source[vms], self.target[vms] = np.where(asks, (sources, targets), -1)
        self._load(vms[asks], 1)

    def end(self, vms: Ints) -> None:
        """End the copies of those VMs that have one."""
        if self.active:
            self._load(vms[self.source[vms] >= 0], -1)
            self.source[vms] = self.target[vms] = -1
            self.source_share[vms] = self.target_share[vms] = 0.0

    def shares(self, vm: int) -> tuple[float, float]:
        """Return what the copy of a VM asks of source and target; zeros if it has none."""
        if self._source_of[vm] < 0:
            return 0.0, 0.0
        return self._source_share_of[vm], self._target_share_of[vm]

    def change_one(
        self, vm: int, source: int, target: int, source_share: float, target_share: float
    ) -> None:
        """End the copy of one VM if it has one, and begin another as :meth:`begin` does."""
        demand_mhz = self._demand_of[vm]
        if self._source_of[vm] >= 0:
            self._take_off(self._source_of[vm], self._source_share_of[vm] * demand_mhz)
            self._take_off(self._target_of[vm], self._target_share_of[vm] * demand_mhz)
            self.active -= 1
        self._source_share_of[vm], self._target_share_of[vm] = source_share, target_share
        if not (source_share or target_share):
            self._source_of[vm] = self._target_of[vm] = -1
            return
        self._source_of[vm], self._target_of[vm] = source, target
        self._at_of[source] += 1
        self._at_of[target] += 1
        self._load_of[source] += source_share * demand_mhz
        self._load_of[target] += target_share * demand_mhz
        self.active += 1

    def _take_off(self, host: int, load_mhz: float) -> None:
        """Take the load of one end of a copy off its host."""
        left = self._at_of[host] = self._at_of[host] - 1
        self._load_of[host] = self._load_of[host] - load_mhz if left else 0.0

    def reload(self) -> None:
        """Bring all loads up to date after a change of demand."""
        if not self.active:
            return
        vms, count = np.flatnonzero(self.source >= 0), len(self.load_mhz)
        sent_mhz, received_mhz = self._asked_mhz(vms)
        self.load_mhz[:] = sum_by(self.source[vms], weights=sent_mhz, minlength=count)
        self.load_mhz += sum_by(self.target[vms], weights=received_mhz, minlength=count)

    def _load(self, vms: Ints, sign: int) -> None:
        """Add the load of copies to their hosts (``sign`` 1), or take it off (−1)."""
        ends = np.concatenate([self.source[vms], self.target[vms]])
        np.add.at(self.load_mhz, ends, sign * np.concatenate(self._asked_mhz(vms)))
        np.add.at(self._at, ends, sign)
        # Where no copy is left, nothing may be left by rounding either.
        self.load_mhz[ends[self._at[ends] == 0]] = 0.0
        self.active += sign * len(vms)

    def _asked_mhz(self, vms: Ints) -> tuple[Floats, Floats]:
        """Return what copies of VMs ask of their sources and of their targets, in MHz."""
        demand_mhz = self._vms.demand_mhz[vms]
        return self.source_share[vms] * demand_mhz, self.target_share[vms] * demand_mhz
