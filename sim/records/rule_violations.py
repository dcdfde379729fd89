"""Violations of soft rules: periods, VMs and hosts."""

import numpy as np

from ...models.base.arrays import Ints
from ...models.farm.farm import Farm
from ...models.rules.checker import violated
from ...models.rules.constraints import FOR_STRANGERS
from ...models.rules.rules import Rules
from ..base.log import Column, Log

Place = tuple[int, int]
"""VM and host, by number."""


class RuleRecord:
    """Periods in which a VM violates a soft rule.

    VMs count where they are and where they are on their way to, from the instant that a move
    begins to its end. The farm says which VMs are about to change place; rules that depend on them
    are looked at before anything changes at a later instant, so periods begin and end exactly.

    A table source of the recorder. Only soft rules (those with a price) are recorded: hard rules
    are never broken by a decision. Rules and VMs are numbers; periods of no length are left out.
    """

    def __init__(self, farm: Farm, rules: Rules) -> None:
        self._farm, self._rules = farm, rules
        self._soft = [index for index, rule in enumerate(rules.all) if not rule.hard]
        self._on_all = [
            index for index in self._soft if rules.all[index].kind in {*FOR_STRANGERS, "preserve"}
        ]
        self._keeping = [rule for rule in rules.all if rule.hard and rule.kind == "preserve"]
        self._log = Log({"rule": int, "vm": int, "host": int, "start_s": float, "end_s": float})
        self._since_s: dict[int, dict[Place, float]] = {index: {} for index in self._soft}
        self._moved: set[int] = set()
        self._moved_s = 0.0
        if self._soft:
            farm.observe_placement(self)

    def moving(self, vms: Ints, now_s: float) -> None:
        """Note that VMs are about to change place.

        Called by the farm, before it changes where ``vms`` (rows) are.
        """
        if self._moved and now_s > self._moved_s:
            self.note()
        self._moved.update(vms.tolist())
        self._moved_s = now_s

    def note(self) -> None:
        """Open and close periods as VMs are since they changed place last."""
        touched = set(self._on_all if self._moved else ())
        for vm in self._moved:
            touched.update(self._rules.soft(vm))
        self._moved.clear()
        if not touched:
            return
        broken = self._broken(sorted(touched))
        for rule in sorted(touched):
            since_s, now = self._since_s[rule], broken.get(rule, set())
            for place in sorted(since_s.keys() - now):
                self._end(rule, place, self._moved_s)
            for place in now - since_s.keys():
                since_s[place] = self._moved_s

    def sample(self, now_s: float) -> None:
        """Do nothing: periods are noted as they end."""

    def close(self, end_s: float) -> None:
        """Close all periods at the end of the run."""
        self.note()
        for rule in self._soft:
            for place in sorted(self._since_s[rule]):
                self._end(rule, place, end_s)

    def tables(self) -> dict[str, dict[str, Column]]:
        """Return the periods in the order in which they ended.

        ``broken_rules`` has the columns ``rule``, ``vm``, ``host``, ``start_s`` and ``end_s``, in
        s.
        """
        table = self._log.columns()
        order = np.lexsort([table[name] for name in ("host", "vm", "rule", "end_s")])
        return {"broken_rules": {name: values[order] for name, values in table.items()}}

    def _broken(self, touched: list[int]) -> dict[int, set[Place]]:
        """Return where VMs break some rules with a price, by rule."""
        vms, rules = self._farm.vms, self._rules
        chosen = [rules.all[index] for index in touched]
        among = None
        if not any(index in self._on_all for index in touched):
            named = np.unique(np.concatenate([rule.vms for rule in chosen]))
            among = named.astype(np.int64)
        found = violated(
            [*chosen, *self._keeping],
            rules.domains,
            vms.host,
            vms.moving_to,
            rules.capacity_mhz,
            among,
            vms.size,
        )
        number = dict(zip(chosen, touched, strict=True))
        return {
            number[breach.rule]: set(zip(breach.vms.tolist(), breach.hosts.tolist(), strict=True))
            for breach in found
            if not breach.rule.hard
        }

    def _end(self, rule: int, place: Place, now_s: float) -> None:
        start_s = self._since_s[rule].pop(place)
        if start_s < now_s:
            vm, host = place
            self._log.add(1, rule=rule, vm=vm, host=host, start_s=start_s, end_s=now_s)
