"""Costs of VMs on hosts, updated as VMs are placed.

Computing a VM's cost on every candidate takes time in proportion to the farm. In a small room
that is done for a few VMs at once. In a large one, where many VMs need the same, each kind of
VM keeps its costs, and only hosts that changed since the last VM of the kind are computed
again: what a decision costs then hardly depends on the farm. Both give exactly what computing
everything anew would give.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from ...models.base.arrays import Floats, Ints
from ...models.base.lazy_dataclass import dataclass
from ...models.base.ties import TIE, first_as_low, first_lowest
from .candidates import Candidates
from .capacity import EVERYWHERE, Positions

OWN = __name__.partition(".")[0]

BATCH = 8
"""VMs whose costs are computed at once in a small room."""

LARGE = 1000
"""Candidates from which on the costs of each kind of VM are kept."""

SIZE_OF_KIND = 4
"""VMs that there must be of a kind, on average, for its costs to be worth keeping."""

KEPT_COSTS = 2**25
"""How many costs are kept at most, 8 bytes each."""

BLOCK = 1024
"""So many hosts share a note of their lowest cost."""

FEW = 16
"""Up to so many hosts are computed one by one; beyond, vectors are faster."""

Costs = Callable[[Candidates, Ints, Positions], Floats]
"""Cost of each VM on some candidates of a room, (VMs, candidates), a new array each time."""

CostAt = Callable[[Candidates, int, int], float]
"""Cost of one VM on one candidate, as :data:`Costs` would give it now."""


Tie = Callable[[Candidates], float]
"""How far apart costs in a room may be and still be equal: the first of equal ones wins."""


def plain_tie(candidates: Candidates) -> float:
    """Return the tolerance of costs that are shares, counts or numbers about as large."""
    del candidates
    return TIE


def cpu_tie(candidates: Candidates) -> float:
    """Return the tolerance of costs in MHz."""
    return candidates.tie_mhz


def power_tie(candidates: Candidates) -> float:
    """Return the tolerance of costs in W."""
    return candidates.tie_w


@dataclass(frozen=True)
class Pricing:
    """Cost of a VM on a host for a placement policy.

    A policy that can also tell a single cost (``at``) prices sleeping hosts itself; for any
    other they come last where the room prefers hosts that are awake. ``rising`` costs never
    fall when a host is given more. ``lasting`` costs change only where the host changes, and are
    equal for VMs of a kind (:meth:`.Candidates.kinds`). ``tie`` says which costs count as equal.

    ``costs`` gets rows of VMs and positions and returns a new float array (VMs, candidates) in a
    unit of its own, which is overwritten; inf keeps a VM off a host. Wrong shapes and NaN of a cost
    function that is not farmsim's own raise ValueError.
    """

    costs: Costs
    at: CostAt | None = None
    rising: bool = False
    lasting: bool = True
    tie: Tie = plain_tie

    def __post_init__(self) -> None:
        if self.costs.__module__.partition(".")[0] != OWN:
            object.__setattr__(self, "costs", _checked(self.costs))


def _checked(costs: Costs) -> Costs:
    """Return costs that are somebody else's code, refusing what can never be right."""

    def checked(candidates: Candidates, vms: Ints, at: Positions) -> Floats:
        found = np.asarray(costs(candidates, vms, at))
        shape = len(vms), len(candidates.hosts[at])
        if found.shape != shape or found.dtype.kind not in "fiu":
            raise ValueError(
                f"costs are an array of {found.dtype} of shape {found.shape}; they are numbers of "
                f"shape (VMs, candidates), here {shape}"
            )
        if np.isnan(found).any():
            raise ValueError("a cost is NaN; it is a number, inf where a VM is not to go")
        return found.astype(np.float64)

    return checked


def current_costs(
    candidates: Candidates, vms: Ints, pricing: Pricing
) -> Iterator[tuple[int, Floats, int]]:
    """Yield each VM, its cost on every candidate as things then stand, and the lowest's position.

    The cost is inf where there is no room; of equal costs (:attr:`Pricing.tie`) the lower position
    counts as lowest.

    Costs are (candidates,); take the VM before the next item is asked for. The array may be used
    again for later VMs: do not keep it.
    """
    kinds = _kinds(candidates) if pricing.lasting else None
    if kinds is not None:
        return _by_kind(candidates, vms, pricing, kinds)
    return _in_batches(candidates, vms, pricing)


def _kinds(candidates: Candidates) -> Ints | None:
    """Return the kind of each VM where costs are worth keeping, None where they are not."""
    if len(candidates.hosts) < LARGE:
        return None
    if "kinds" not in candidates.memo:
        kinds = candidates.kinds()
        many = SIZE_OF_KIND * (kinds.max(initial=0) + 1) <= len(kinds)
        candidates.memo["kinds"] = kinds if many else None
    kinds_or_none: Ints | None = candidates.memo["kinds"]
    return kinds_or_none


def _by_kind(
    candidates: Candidates, vms: Ints, pricing: Pricing, kinds: Ints
) -> Iterator[tuple[int, Floats, int]]:
    """Compute what has changed since the last VM of the same kind, or all if that is most."""
    kept: dict[int, _Kept] = candidates.memo.setdefault("costs", {})
    count, tie = len(candidates.hosts), pricing.tie(candidates)
    for index, kind in enumerate(kinds[vms].tolist()):
        one = vms[index : index + 1]
        costs = kept.get(kind)
        if costs is None or 4 * (len(candidates.changes) - costs.known) > count:
            if len(kept) >= KEPT_COSTS // count:
                kept.clear()
            costs = kept[kind] = _Kept(_with_room(candidates, one, pricing, EVERYWHERE)[0])
        else:
            costs.update(candidates, one, pricing)
        costs.known = len(candidates.changes)
        allowed = _within_rules(candidates, one, costs.values, costs.lowest(tie), tie)
        yield int(one[0]), *_sleeping_if_none_else(candidates, one, pricing, *allowed)


class _Kept:
    """Costs on every candidate, when they were computed, and the lowest of each block of them."""

    def __init__(self, costs: Floats) -> None:
        blocks = -(-len(costs) // BLOCK)
        padded = np.full(blocks * BLOCK, np.inf)
        self.values = padded[: len(costs)]
        self.values[:] = costs
        self.known = 0
        self._blocks = padded.reshape(blocks, BLOCK)
        self._lowest = self._blocks.min(axis=1)

    def update(self, candidates: Candidates, one: Ints, pricing: Pricing) -> None:
        """Compute the costs of one VM again wherever anything has changed."""
        changes = candidates.changes[self.known :]
        if len(changes) > FEW or pricing.at is None:
            at = np.array(changes, np.int64)
            self.values[at] = _with_room(candidates, one, pricing, at)[0]
        else:
            _refresh(candidates, int(one[0]), pricing.at, self.values, changes)
        if len(changes) > len(self._lowest):
            self._blocks.min(axis=1, out=self._lowest)
            return
        for block in {position // BLOCK for position in changes}:
            self._lowest[block] = self._blocks[block].min()

    def lowest(self, tie: float) -> int:
        """Return the first position whose cost is within ``tie`` of the lowest."""
        highest = self._lowest.min() + tie
        block = int((self._lowest <= highest).argmax())
        return block * BLOCK + int((self._blocks[block] <= highest).argmax())


def _in_batches(
    candidates: Candidates, vms: Ints, pricing: Pricing
) -> Iterator[tuple[int, Floats, int]]:
    """Compute the costs of some VMs at once, and again where earlier VMs of the batch went.

    Of rising costs only those of a host that would win, or that was left with more room than
    before; a veto or a rule may pass over the winner, so there all are computed.
    """
    step, tie = 1 if pricing.at is None else BATCH, pricing.tie(candidates)
    for start in range(0, len(vms), step):
        batch = vms[start : start + step]
        rows = _with_room(candidates, batch, pricing, EVERYWHERE)
        if pricing.at is None:
            costs = rows[0]
            allowed = _within_rules(candidates, batch, costs, first_lowest(costs, tie), tie)
            yield int(batch[0]), *_sleeping_if_none_else(candidates, batch, pricing, *allowed)
            continue
        known, known_roomier = len(candidates.changes), len(candidates.gained)
        for index, vm in enumerate(batch.tolist()):
            costs = rows[index]
            changed = set(candidates.changes[known:]) if index else set()
            if pricing.rising and not candidates.vetoed and not candidates.bound(vm):
                gained = candidates.gained[known_roomier:]
            else:
                gained = list(changed)
            if gained:
                _refresh(candidates, vm, pricing.at, costs, gained)
                changed.difference_update(gained)
            lowest = _lowest_refreshed(candidates, vm, pricing.at, costs, changed, tie)
            one = batch[index : index + 1]
            yield vm, *_within_rules(candidates, one, costs, lowest, tie)


def _lowest_refreshed(
    candidates: Candidates, vm: int, cost_at: CostAt, costs: Floats, changed: set[int], tie: float
) -> int:
    """Return the position of the lowest cost where those ``changed`` may only have risen.

    The lowest has to be known before it can be said which others are equal to it.
    """
    lowest = int(costs.argmin())
    while lowest in changed:
        _refresh(candidates, vm, cost_at, costs, (lowest,))
        changed.discard(lowest)
        lowest = int(costs.argmin())
    lowest = first_as_low(costs, lowest, tie)
    while lowest in changed:
        _refresh(candidates, vm, cost_at, costs, (lowest,))
        changed.discard(lowest)
        lowest = first_lowest(costs, tie)
    return lowest


def _within_rules(
    candidates: Candidates, one: Ints, costs: Floats, lowest: int, tie: float
) -> tuple[Floats, int]:
    """Return costs without the hosts that a rule keeps from a VM, and the lowest's position."""
    barred = candidates.barred(int(one[0]))
    if barred is None:
        return costs, lowest
    costs = np.where(barred, np.inf, costs)
    return costs, first_lowest(costs, tie)


def costs_now(candidates: Candidates, one: Ints, pricing: Pricing) -> tuple[Floats, int]:
    """Return the cost of a VM on every candidate as things stand, and the lowest's position."""
    costs, tie = _with_room(candidates, one, pricing, EVERYWHERE)[0], pricing.tie(candidates)
    allowed = _within_rules(candidates, one, costs, first_lowest(costs, tie), tie)
    return _sleeping_if_none_else(candidates, one, pricing, *allowed)


def _with_room(candidates: Candidates, vms: Ints, pricing: Pricing, at: Positions) -> Floats:
    full = candidates.full(vms, at)
    if pricing.at is None and candidates.prefer_awake:
        full |= candidates.sleeping[at]
    costs = pricing.costs(candidates, vms, at)
    costs[full] = np.inf
    return costs


def _sleeping_if_none_else(
    candidates: Candidates, one: Ints, pricing: Pricing, costs: Floats, lowest: int
) -> tuple[Floats, int]:
    """Where sleeping hosts come last, return their costs if none that is awake has capacity."""
    if pricing.at is not None or not candidates.prefer_awake or costs[lowest] < np.inf:
        return costs, lowest
    sleeping = np.flatnonzero(candidates.sleeping)
    costs = np.full(len(costs), np.inf)
    costs[sleeping] = pricing.costs(candidates, one, sleeping)
    costs[candidates.full(one)[0]] = np.inf
    tie = pricing.tie(candidates)
    return _within_rules(candidates, one, costs, first_lowest(costs, tie), tie)


def _refresh(
    candidates: Candidates, vm: int, cost_at: CostAt, costs: Floats, positions: Iterable[int]
) -> None:
    for position in positions:
        fits = candidates.fits(vm, position)
        costs[position] = cost_at(candidates, vm, position) if fits else np.inf
