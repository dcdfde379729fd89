"""When rules with a price were broken, and by which VMs on which hosts."""

import numpy as np

from ..models.arrays import Ints
from ..models.farm import Farm
from ..models.rule_check import violated
from ..models.rules import Rules
from .log import Column, Log

Key = tuple[int, int, int]
"""Rule, VM and host, by number."""


class RuleRecord:
    """Periods in which a VM is where a rule with a price does not want it.

    VMs count where they are and where they are on their way to, from the instant that a move
    begins to its end; ``note`` has to be called whenever VMs may have changed place.
    """

    def __init__(self, farm: Farm, rules: Rules) -> None:
        self._farm, self._rules = farm, rules
        self._soft = [index for index, rule in enumerate(rules.all) if not rule.hard]
        self._log = Log({"rule": int, "vm": int, "host": int, "start_s": float, "end_s": float})
        self._since_s: dict[Key, float] = {}
        self._seen: tuple[Ints, Ints] | None = None

    def note(self, now_s: float) -> None:
        """Open and close periods as VMs are now."""
        if not self._soft or not self._changed():
            return
        broken = self._broken()
        for key in sorted(self._since_s.keys() - broken):
            self._end(key, now_s)
        for key in broken - self._since_s.keys():
            self._since_s[key] = now_s

    def close(self, end_s: float) -> None:
        """Close all periods at the end of the run."""
        for key in sorted(self._since_s):
            self._end(key, end_s)

    def columns(self) -> dict[str, Column]:
        """Return the periods as a table."""
        return self._log.columns()

    def _changed(self) -> bool:
        vms = self._farm.vms
        seen, self._seen = self._seen, (vms.host.copy(), vms.moving_to.copy())
        return seen is None or not all(map(np.array_equal, seen, self._seen))

    def _broken(self) -> set[Key]:
        vms, rules = self._farm.vms, self._rules
        found = violated(rules.all, rules.domains, vms.host, vms.moving_to, rules.capacity_mhz)
        number = {rule: index for index, rule in enumerate(rules.all)}
        return {
            (number[breach.rule], vm, host)
            for breach in found
            if not breach.rule.hard
            for vm, host in zip(breach.vms.tolist(), breach.hosts.tolist(), strict=True)
        }

    def _end(self, key: Key, now_s: float) -> None:
        start_s = self._since_s.pop(key)
        if start_s < now_s:
            rule, vm, host = key
            self._log.add(1, rule=rule, vm=vm, host=host, start_s=start_s, end_s=now_s)
