"""Sums over the guests of hosts for many slots at once, in the order of one slot at a time.

Floating-point sums depend on their order. A sum per host and slot must be the one that
:data:`..base.arrays.sum_by` gives, which adds guest after guest, so NumPy's own reductions along
the guests, which add pairwise, will not do.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..base.arrays import Floats, Ints

BLOCK_VMS = 2048
"""VMs whose demand is worked on at a time: a few dozen slots of these fit into a core's cache."""


class GuestBlock(NamedTuple):
    """Some hosts and all their guests.

    ``vms`` are in layers: the first guest of each host, then the second of those that have two, and
    so on. ``hosts`` are in descending order of guests, so that layer ``k`` is of the first
    ``sizes[k]`` of them.
    """

    hosts: Ints
    vms: Ints
    sizes: list[int]

    def sums(self, values: Floats) -> Floats:
        """Return the sums (slots, hosts) of values of the guests, (slots, vms)."""
        at = self.sizes[0]
        total = values[:, :at].copy()
        for size in self.sizes[1:]:
            total[:, :size] += values[:, at : at + size]
            at += size
        return total


class GuestLayers:
    """The guests of all hosts, in blocks.

    ``vms`` are rows in the order in which they are added up, ``home`` the host of each; of none,
    where it is beyond the last host.
    """

    def __init__(self, vms: Ints, home: Ints, hosts: int) -> None:
        placed = home < hosts
        if not placed.all():
            vms, home = vms[placed], home[placed]
        order = _stable_order(home)
        vms, home = vms[order], home[order]
        count = np.bincount(home, minlength=hosts)
        ranked = np.argsort(-count, kind="stable")[: int(np.count_nonzero(count))]
        ends = np.cumsum(count[ranked])
        block_of_rank = (ends - count[ranked]) // BLOCK_VMS
        self._first_rank = np.flatnonzero(np.diff(block_of_rank, prepend=-1))
        block_of_rank = np.cumsum(np.diff(block_of_rank, prepend=-1) > 0) - 1
        rank = np.zeros(hosts, np.int64)
        rank[ranked] = np.arange(len(ranked))
        own = rank[home]
        block = block_of_rank[own]
        layers = count[ranked[self._first_rank]]
        self._first_layer = np.cumsum(layers) - layers
        layer = np.arange(len(home)) - (np.cumsum(count) - count)[home]
        layer += self._first_layer[block]
        self._sizes = np.bincount(layer, minlength=int(layers.sum()))
        first = np.cumsum(self._sizes) - self._sizes
        self._vms = np.empty(len(vms), np.int64)
        self._vms[first[layer] + own - self._first_rank[block]] = vms
        self._hosts = ranked

    def __iter__(self) -> Iterator[GuestBlock]:
        ranks = [*self._first_rank.tolist(), len(self._hosts)]
        layers = [*self._first_layer.tolist(), len(self._sizes)]
        at = 0
        for hosts, sizes in zip(pairwise(ranks), pairwise(layers), strict=True):
            of_layers = self._sizes[slice(*sizes)]
            vms = self._vms[at : at + int(of_layers.sum())]
            at += len(vms)
            yield GuestBlock(self._hosts[slice(*hosts)], vms, of_layers.tolist())


def _stable_order(home: Ints) -> Ints:
    """Return what a stable argsort does, by two passes of radix sort over 16 bits each."""
    order = np.argsort((home & 0xFFFF).astype(np.uint16), kind="stable")
    if home.max(initial=0) > 0xFFFF:
        order = order[np.argsort((home[order] >> 16).astype(np.uint16), kind="stable")]
    return order
