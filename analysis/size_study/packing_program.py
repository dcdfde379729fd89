"""The integer program for whether VMs can be placed on hosts at all, for SciPy's HiGHS."""

from functools import partial

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.sizing.least_hosts import Solve
from ...models.sizing.packing import home_of_vms
from ...models.sizing.planned_farm import TOLERANCE, Items, PlannedFarm, items_of, kinds_of

INFEASIBLE = 2
MAX_VARIABLES = 60_000
"""Numbers of VMs by kind and host beyond which the program is not tried: it would never end."""


def solver(time_limit_s: float) -> Solve:
    """Return the program with a limit of real time per question."""
    return partial(placeable, time_limit_s=time_limit_s)


def placeable(farm: PlannedFarm, rooms: Floats, time_limit_s: float) -> Ints | bool | None:
    """Return a placement of all VMs (vms,) within rooms (hosts, 3); False if there is none.

    None if it is not known when the time is up.

    With x(k, h) VMs of kind k (equal in all that matters) on host h: each kind is placed whole, the
    needs on a host are within its room, and no domain has more VMs of a rule than the rule allows.
    Nothing is minimised: any solution is a placement, and if none exists, that is proven. VMs in
    rules are kinds of their own.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415
    from scipy.sparse import coo_array, vstack  # noqa: PLC0415

    items = items_of(farm)
    kind, first, counts = _kinds(items)
    kinds, hosts = len(counts), len(rooms)
    if items.split:
        return False
    if not kinds:
        return np.zeros(0, np.int64)
    if not hosts:
        return False
    if kinds * hosts > MAX_VARIABLES:
        return None
    of_kind, on_host = np.divmod(np.arange(kinds * hosts), hosts)
    ones = np.ones(kinds * hosts)
    columns = np.arange(kinds * hosts)
    placed = coo_array((ones, (of_kind, columns)), shape=(kinds, kinds * hosts))
    needs = items.needs[first]
    parts = [LinearConstraint(placed.tocsr(), counts, counts)]
    for resource in range(needs.shape[1]):
        scale = max(float(rooms[:, resource].max()), TOLERANCE)
        taken = coo_array(
            (needs[of_kind, resource] / scale, (on_host, columns)), shape=(hosts, kinds * hosts)
        )
        parts.append(LinearConstraint(taken.tocsr(), -np.inf, rooms[:, resource] / scale + 1e-9))
    rows = [_rule(farm, level, kind[members], kinds) for level, members in _spread(items)]
    if rows:
        most = np.concatenate([
            np.full(row.shape[0], rule.at_most)
            for row, (rule, _) in zip(rows, items.spread, strict=True)
        ])  # fmt: skip
        parts.append(LinearConstraint(vstack(rows).tocsr(), -np.inf, most))
    top = np.where(items.places[items.open[first]][of_kind, on_host], counts[of_kind], 0.0)
    answer = milp(
        np.zeros(kinds * hosts),
        constraints=parts,
        integrality=np.ones(kinds * hosts, np.int64),
        bounds=Bounds(0, top),
        options={"time_limit": time_limit_s},
    )
    if answer.x is None:
        return False if int(answer.status) == INFEASIBLE else None
    return _home(items, kind, np.rint(answer.x).astype(np.int64).reshape(kinds, hosts), farm)


def _home(items: Items, kind: Ints, numbers: Ints, farm: PlannedFarm) -> Ints:
    """Return the host of each VM, given how many items of each kind (kinds, hosts) are where."""
    home = np.full(len(items.needs), -1)
    for row in range(len(numbers)):
        home[kind == row] = np.repeat(np.arange(numbers.shape[1]), numbers[row])
    return home_of_vms(items, home, len(farm.vms))


def _kinds(items: Items) -> tuple[Ints, Ints, Floats]:
    """Return the kind of each item, the first item of each kind, and how many there are."""
    marks = kinds_of(items).astype(np.int64)
    bound = np.unique(np.concatenate([np.zeros(0, np.int64), *(m for _, m in items.spread)]))
    marks[bound] = marks.max(initial=0) + 1 + np.arange(len(bound))
    _, first, kind, counts = np.unique(
        marks, return_index=True, return_inverse=True, return_counts=True
    )
    return kind.reshape(-1), first, counts.astype(np.float64)


def _spread(items: Items) -> list[tuple[str, Ints]]:
    """Return level and items of each rule."""
    return [(rule.level, members) for rule, members in items.spread]


def _rule(farm: PlannedFarm, level: str, kinds_in: Ints, kinds: int):  # type: ignore[no-untyped-def]
    """Return how many VMs of a rule each domain has, a row per domain."""
    from scipy.sparse import coo_array  # noqa: PLC0415

    domain = farm.hosts.domain(level)
    hosts = len(domain)
    of = np.repeat(kinds_in, hosts)
    at = np.tile(np.arange(hosts), len(kinds_in))
    shape = (int(domain.max(initial=0)) + 1, kinds * hosts)
    return coo_array((np.ones(len(of)), (domain[at], of * hosts + at)), shape=shape)
