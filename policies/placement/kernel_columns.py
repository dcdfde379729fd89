"""The columns of candidates as the compiled kernel takes them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.base.arrays import Ints
from .candidates import Candidates


def only_capacity_counts(candidates: Candidates) -> bool:
    """Whether nothing but CPU, memory and a linear overload test says where VMs fit.

    Power has to be piecewise linear in the load, too.
    """
    return (
        candidates.occupancy is None
        and candidates.reserve_book is None
        and candidates._racks is None
        and not candidates._barring
        and not candidates.vetoed
        and candidates._signal_mhz is not None
        and not candidates.power._bank._curved
    )


def columns_of_vms(candidates: Candidates) -> list[NDArray[Any]]:
    """Return what VMs need: CPU, CPU per core, memory, and their part in the overload test."""
    return [
        np.ascontiguousarray(column, np.float64)
        for column in (
            candidates.need_mhz,
            candidates._need_per_core_mhz,
            candidates._need_mib,
            candidates._signal_mhz,
        )
    ]


def positions_of_hosts(candidates: Candidates) -> Ints:
    """Return the position of each host of the farm among the candidates, −1 where it is none."""
    return candidates._position


def columns_of_candidates(candidates: Candidates) -> list[NDArray[Any]]:
    """Return row, load, what is left, and power, one entry per candidate; see the kernel's source.

    What the kernel writes is copied.
    """
    power = candidates.power
    return [
        candidates.hosts,
        candidates.load_mhz.copy(),
        candidates.free_mhz.copy(),
        candidates.memory_free_mib.copy(),
        np.ascontiguousarray(candidates._core_mhz, np.float64),
        candidates._test_free_mhz.copy(),
        candidates._headroom_mhz.copy(),
        candidates._guests.astype(np.int64),
        candidates.sleeping.copy(),
        candidates.utilisation == 0,
        power._levels_per_mhz,
        power._first,
    ]


def power_tables(candidates: Candidates) -> list[NDArray[Any]]:
    """Return slope and offset of each segment of all power curves, W per level and W."""
    bank = candidates.power._bank
    return [bank._slope_w, bank._offset_w]
