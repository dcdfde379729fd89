"""What guests ask of their hosts in many slots at once, while nobody moves.

The same sums as those of :class:`.cpu_delivery.Delivery`, bit by bit, for blocks of hosts over all
slots instead of all hosts slot by slot, so that the demand of a block stays in the cache.
"""

import numpy as np

from ..base.arrays import Bools, Floats, Ints
from ..base.lazy_dataclass import dataclass
from ..workload.demand import DemandBatch
from .cpu_delivery import Delivery
from .guest_layers import GuestLayers
from .saturated_hosts import ROUNDING


@dataclass(frozen=True)
class SlotLoads:
    """Demand in MHz of guests on their hosts, (slots, hosts).

    ``load_mhz`` is the physical load, ``unserved_mhz`` the work beyond what the vCPUs of the guests
    could do (None: none in any slot), ``over`` are the VMs that ask for that in any slot.
    ``limited`` tells where crowding keeps a guest from what it asks for (None: nowhere).
    """

    load_mhz: Floats
    unserved_mhz: Floats | None
    over: Ints
    limited: Bools | None

    @classmethod
    def of(
        cls, delivery: Delivery, demand: DemandBatch, layers: GuestLayers, hosts: int
    ) -> "SlotLoads":
        """Add up what guests ask for; none is slowed, short of I/O or beside neighbours."""
        load_mhz = np.zeros((len(demand), hosts))
        unserved_mhz: Floats | None = None
        limited: Bools | None = None
        over = [np.empty(0, np.int64)]
        for block in layers:
            work_mhz = demand.of(block.vms)
            asked_mhz = wanted_mhz = block.sums(work_mhz)
            ceiling_mhz = delivery.ceiling_mhz[block.vms]
            above = _ever_above(work_mhz, ceiling_mhz) if delivery.capped else over[0]
            if len(above):
                over.append(block.vms[above])
                np.minimum(work_mhz, ceiling_mhz, out=work_mhz)
                wanted_mhz = block.sums(work_mhz)
                if unserved_mhz is None:
                    unserved_mhz = np.zeros_like(load_mhz)
                unserved_mhz[:, block.hosts] = asked_mhz - wanted_mhz
            if not delivery.plain:
                work_mhz *= delivery.effort[block.vms]
                wanted_mhz = block.sums(work_mhz)
            if delivery.contended:
                beyond = work_mhz > delivery.max_mhz[block.vms] * (1.0 + ROUNDING)
                if beyond.any():
                    if limited is None:
                        limited = np.zeros(load_mhz.shape, bool)
                    limited[:, block.hosts] = block.sums(beyond.astype(np.float64)) > 0
            load_mhz[:, block.hosts] = wanted_mhz
        return cls(load_mhz, unserved_mhz, np.sort(np.concatenate(over)), limited)


def _ever_above(values: Floats, limit: Floats) -> Ints:
    """Return the columns in which a value is above its limit."""
    return np.flatnonzero(np.any(values > limit, axis=0))
