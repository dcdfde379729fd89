"""Virtualisation overhead as lookup tables.

A group of hosts has one server and one hypervisor, a VM has one size; what the layer costs is
therefore known per size and group before time begins. Bare metal is the same path with
factors of one and nothing added, so that it and a hypervisor without overheads agree to the
last bit.
"""

import numpy as np

from ..base.arrays import Bools, Floats
from ..base.lazy_dataclass import dataclass
from ..service.interference import Interference


@dataclass(frozen=True)
class Layer:
    """Virtualisation overheads.

    ``work_factor`` is physical CPU per unit of guest work and ``extra_mib`` memory beyond the
    guest's own, both (sizes, groups). Per group: ``base_mhz`` is what the host keeps for itself
    and always draws, ``app_mhz`` what other applications on the host's operating system ask
    for, ``contention_loss`` and ``coscheduling_loss`` what switching and waiting for one another
    add to the work of vCPUs that outnumber the ``cores``, ``memory_reclaim`` the part of the memory
    promised that sharing and ballooning give back, ``swap_slowdown`` how many times slower
    guests run with all their memory beyond that swapped out. ``operations`` are I/O operations
    per MHz·s of guest work, (kinds, sizes), and ``ceilings`` the most a host can do per second,
    (kinds, groups). ``allowed`` says which sizes may be on which groups, ``one_guest`` which
    groups hold one VM per host. ``shares``, ``reservation_mhz`` and ``limit_mhz`` are per size.
    """

    work_factor: Floats
    extra_mib: Floats
    base_mhz: Floats
    app_mhz: Floats
    contention_loss: Floats
    coscheduling_loss: Floats
    cores: Floats
    physical_mib: Floats
    memory_reclaim: Floats
    swap_slowdown: Floats
    operations: Floats
    ceilings: Floats
    allowed: Bools
    one_guest: Bools
    shares: Floats
    reservation_mhz: Floats
    limit_mhz: Floats
    fair: bool = False
    interference: Interference | None = None

    @classmethod
    def none(cls, sizes: int, groups: int) -> "Layer":
        """Return bare metal: nothing between guest and hardware."""
        return cls(
            work_factor=np.ones((sizes, groups)),
            extra_mib=np.zeros((sizes, groups)),
            base_mhz=np.zeros(groups),
            app_mhz=np.zeros(groups),
            contention_loss=np.zeros(groups),
            coscheduling_loss=np.zeros(groups),
            cores=np.ones(groups),
            physical_mib=np.full(groups, np.inf),
            memory_reclaim=np.zeros(groups),
            swap_slowdown=np.ones(groups),
            operations=np.zeros((0, sizes)),
            ceilings=np.zeros((0, groups)),
            allowed=np.ones((sizes, groups), bool),
            one_guest=np.zeros(groups, bool),
            shares=np.ones(sizes),
            reservation_mhz=np.zeros(sizes),
            limit_mhz=np.full(sizes, np.inf),
        )
