"""Which of several moves, begun at the same instant, would break a hard rule."""

import numpy as np

from ..base.arrays import Ints
from .occupancy import Occupancy
from .rules import Rules


def refused(
    rules: Rules, host: Ints, moving_to: Ints, vms: Ints, targets: Ints, size: Ints | None = None
) -> list[str]:
    """Return per move the name of the rule that it would break; empty where it breaks none.

    Moves are let through in the order given, each beside those before it. VMs that belong
    together go together or not at all. ``host``, ``moving_to`` and ``size`` are as they are now,
    one row per VM, −1 for no host.
    """
    occupancy = Occupancy(rules, host, moving_to, size)
    occupancy.expect(vms)
    told = [""] * len(vms)
    let: dict[int, int] = {}
    for index, (vm, target) in enumerate(zip(vms.tolist(), targets.tolist(), strict=True)):
        told[index] = _broken(occupancy, vm, target)
        if told[index]:
            occupancy.give_up(np.array([vm]))
        else:
            let[index] = vm
            occupancy.take(vm, target)
    while left_behind := _left_behind(occupancy, let, targets):
        for index, name in left_behind.items():
            told[index] = name
            occupancy.undo(let.pop(index), (-1, False))
    return told


def _broken(occupancy: Occupancy, vm: int, target: int) -> str:
    names = occupancy.why(vm, np.array([target]))
    return names[0][0] if names else ""


def _left_behind(occupancy: Occupancy, let: dict[int, int], targets: Ints) -> dict[int, str]:
    """Return moves that were let through beside others that were not."""
    rules = occupancy.rules
    return {
        index: name
        for index, vm in let.items()
        if len(rules.affinity_group(vm)) > 1
        and (name := _broken(occupancy, vm, int(targets[index])))
    }
