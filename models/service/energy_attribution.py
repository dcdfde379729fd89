"""Attribution of the energy of hosts over an interval to their VMs.

What a host draws above idle goes to its VMs by the CPU that they used. What it draws idle has no
cause among them and is shared by a rule that has to be stated: by ``size``, in ``equal`` parts
or by ``usage``. The parts of a host's VMs add up to its energy.
"""

from collections.abc import Callable

import numpy as np

from ..base.arrays import Floats, Ints, sum_by

Rule = Callable[[Floats, Floats], Floats]


def _by_size(size: Floats, used: Floats) -> Floats:
    del used
    return size


def _equal(size: Floats, used: Floats) -> Floats:
    del used
    return np.ones_like(size)


def _by_usage(size: Floats, used: Floats) -> Floats:
    del size
    return used


IDLE_RULES: dict[str, Rule] = {"size": _by_size, "equal": _equal, "usage": _by_usage}
"""Weight of a VM in its host's idle energy, from its size and the CPU that it used."""


def attribute(
    energy_j: Floats,
    idle_j: Floats,
    host_of: Ints,
    size: Floats,
    used: Floats,
    rule: str = "size",
) -> Floats:
    """Return the energy in J that each VM is charged with for an interval.

    ``energy_j`` is what each host drew, ``idle_j`` what it would have drawn idle; energy below
    idle is idle energy. ``host_of`` is each VM's host as a row; a VM that was on two hosts
    comes twice. ``size`` is what the rule ``size`` goes by (MHz, vCPUs or MiB), ``used`` the CPU
    used (MHz·s); both are at least 0. ``rule`` is a key of ``IDLE_RULES``.

    Where a host's VMs used nothing, what was drawn above idle is split by the rule as well, and
    where the rule gives no VM a weight, in equal parts. The parts add up to ``energy_j`` of each
    host that has a VM, to rounding; a host without VMs charges nobody.

    Raises ``ValueError`` for an unknown rule.
    """
    if rule not in IDLE_RULES:
        raise ValueError(f"unknown rule {rule!r}; one of {', '.join(IDLE_RULES)}")
    hosts = len(energy_j)
    fixed_j = np.minimum(idle_j, energy_j)
    by_rule = _portions(IDLE_RULES[rule](size, used), np.ones_like(size), host_of, hosts)
    by_use = _portions(used, by_rule, host_of, hosts)
    charged_j: Floats = by_rule * fixed_j[host_of] + by_use * (energy_j - fixed_j)[host_of]
    return charged_j


def _portions(weight: Floats, otherwise: Floats, host_of: Ints, hosts: int) -> Floats:
    """Return weights as parts of their host's sum; ``otherwise`` where that sum is zero."""
    bare = sum_by(host_of, weights=weight, minlength=hosts) <= 0
    chosen = np.where(bare[host_of], otherwise, weight)
    portions: Floats = chosen / sum_by(host_of, weights=chosen, minlength=hosts)[host_of]
    return portions
