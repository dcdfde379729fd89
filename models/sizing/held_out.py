"""What a plan would have missed: load of a time that it did not know, on hosts that it chose."""

import math
from collections.abc import Iterable

import numpy as np

from ..base.arrays import Floats, Ints
from ..base.lazy_dataclass import dataclass
from ..workload.peaks import percentiles


@dataclass(frozen=True)
class Overload:
    """How often and how far hosts were asked for more CPU than they have.

    ``host_time`` is the share of all hosts' time, ``worst_host`` that of the host with most,
    ``any_host`` the share of time with at least one such host. ``mean_excess`` and ``most_excess``
    are what was asked for above the capacity, as a share of it, while it was; 0 if it never was.
    """

    hosts: int
    instants: int
    host_time: float
    worst_host: float
    any_host: float
    mean_excess: float
    most_excess: float


def host_sums(load: Floats, home: Ints, hosts: int) -> Floats:
    """Return the load of each host, (instants, hosts), of the load of its VMs (instants, VMs).

    ``home`` (VMs,) is the host of each VM; VMs on none (-1) are left out.
    """
    sums = np.zeros((len(load), hosts))
    for host in range(hosts):
        sums[:, host] = load[:, home == host].sum(axis=1)
    return sums


def overload(sums: Floats, capacity: Floats) -> Overload:
    """Return how far the load of hosts (instants, hosts) was above their capacity (hosts,).

    Hosts without any capacity count as overloaded if they have load.
    """
    instants, hosts = sums.shape
    if not instants or not hosts:
        return Overload(hosts, instants, 0.0, 0.0, 0.0, 0.0, 0.0)
    above = sums > capacity * (1 + 1e-9)
    excess = np.divide(
        sums - capacity, capacity, out=np.full(sums.shape, math.inf), where=capacity > 0
    )[above]
    return Overload(
        hosts,
        instants,
        float(above.mean()),
        float(above.mean(axis=0).max()),
        float(above.any(axis=1).mean()),
        float(excess.mean()) if len(excess) else 0.0,
        float(excess.max(initial=0.0)),
    )


def first_fit(needs: Floats, room: Floats, order: Iterable[int] | None = None) -> Ints:
    """Return the host of each VM (VMs,) by first fit on equal hosts of ``room`` (resources,).

    ``needs`` (VMs, resources) are placed in ``order``, by default decreasing by the largest share
    of a host. A VM that is larger than a host gets one for itself.
    """
    shares = needs / room
    largest = shares.max(axis=1, initial=0.0)
    ranked = np.argsort(-largest, kind="stable").tolist() if order is None else list(order)
    free = np.zeros((0, len(room)))
    home = np.full(len(needs), -1)
    for vm in ranked:
        fits = np.flatnonzero((free >= needs[vm] - 1e-9 * room).all(axis=1))
        if len(fits):
            host = int(fits[0])
        else:
            host = len(free)
            free = np.vstack([free, room])
        free[host] -= needs[vm]
        home[vm] = host
    return home


def placed_by_own_percentile(
    known: Floats, held: Floats, capacity: float, p: float = 0.95
) -> Overload:
    """Return the overload of hosts of a ``capacity`` that VMs were put on by their own percentile.

    ``known`` (instants, VMs) is the load that sizes are taken from, ``held`` that of a later time.
    """
    needs = percentiles(known, p)[:, None]
    home = first_fit(needs, np.array([capacity]))
    hosts = int(home.max(initial=-1)) + 1
    return overload(host_sums(held, home, hosts), np.full(hosts, capacity))
