"""Rules of placement: what each asks for, and for how long it was broken.

A *hard* rule is never broken: a placement that would break it is not made. One with a penalty may
be, where nothing better is found; for how long is what is measured here.
"""

from typing import Any

import numpy as np

from ...models.base.arrays import Floats
from ...models.rules.checker import violated
from ...models.rules.rules import Rules
from ...sim.outcome import Outcome
from ..base.played_case import PlayedCase
from ..base.run_tables import RunTables
from ..base.table_columns import Made, words
from ..base.topic import Section, Topic, TopicTable
from ..base.units_and_ratios import S_PER_H, nullable


def rule_values(run: PlayedCase) -> dict[str, float]:
    """Return the VM-hours in which rules with a price were broken; none without rules."""
    if run.case.rules is None:
        return {}
    return {"rules_broken_vm_h": float(broken_vm_h(run.case.rules, run.outcome).sum())}


def broken_vm_h(rules: Rules, outcome: Outcome) -> Floats:
    """Return per rule for how many VM-hours it was broken.

    A VM that breaks a rule at both ends of a move counts once.

    One entry per rule, (rules,), in the order of the scenario. Periods of one VM and one rule that
    overlap, as during a migration, are united before they are summed. Periods that had not ended
    last until the end of the run.
    """
    table = outcome.tables["broken_rules"]
    total_h = np.zeros(len(rules.all))
    order = np.lexsort((table["start_s"], table["vm"], table["rule"]))
    until_s, before = 0.0, (-1, -1)
    for row in order.tolist():
        key = int(table["rule"][row]), int(table["vm"][row])
        start_s, end_s = float(table["start_s"][row]), float(table["end_s"][row])
        if key == before:
            start_s = max(start_s, until_s)
            until_s = max(until_s, end_s)
        else:
            until_s = end_s
        before = key
        total_h[key[0]] += max(end_s - start_s, 0.0) / S_PER_H
    return total_h


def rules_table(run: PlayedCase) -> dict[str, Made]:
    """Return one row per rule, in the order of the scenario.

    ``price`` is null for hard rules, ``domain`` for rules that name hosts. Nothing may break a hard
    rule, so that its hours are 0.

    ``vms`` counts the VMs that a rule names, whether or not they ever ran.
    """
    rules = run.case.rules
    assert rules is not None
    named = run.records["broken_rules"]["rule"]
    return {
        "rule": ([rule.name for rule in rules.all], "", "Name of the rule."),
        "type": ([rule.kind for rule in rules.all], "", "Type of the rule."),
        "domain": (
            [rule.level if _by_domain(rule.kind) else None for rule in rules.all],
            "",
            "Domain of the rule: host, rack or site.",
        ),
        "vms": ([len(rule.vms) for rule in rules.all], "VMs", "VMs that it names."),
        "hosts": ([len(rule.hosts) for rule in rules.all], "hosts", "Hosts that it names."),
        "hard": ([rule.hard for rule in rules.all], "", "Whether it is a hard rule."),
        "penalty": (
            nullable(np.array([rule.penalty for rule in rules.all], np.float64)),
            "",
            "Penalty per VM placed against it; null if it is hard.",
        ),
        "broken_vm_h": (
            broken_vm_h(rules, run.outcome),
            "VM h",
            "Hours in which VMs violated it, summed over VMs.",
        ),
        "times_broken": (
            np.bincount(named, minlength=len(rules.all)),
            "periods",
            "Number of violations.",
        ),
    }


def rule_violations(run: PlayedCase) -> dict[str, Made]:
    """Return the periods in which a VM was on a host against a rule with a price.

    While a VM is migrated it may have a period at each end.
    """
    assert run.case.rules is not None
    table = run.records["broken_rules"]
    return {
        "rule": (words(table["rule"], [rule.name for rule in run.case.rules.all]), "", "Rule."),
        "vm": (run.names.vm(table["vm"]), "", "VM."),
        "host": (run.names.host(table["host"]), "", "Host where the VM was or was going to."),
        "start_s": (table["start_s"], "s", "From."),
        "end_s": (table["end_s"], "s", "To."),
    }


def hard_rules_broken(rules: Rules, outcome: Outcome) -> list[str]:
    """Return the names of hard rules that are broken as the run ends.

    Migrations under way count at both ends. Empty unless farmsim is at fault.
    """
    vms = outcome.farm.vms
    found = violated(
        rules.all, rules.domains, vms.host, vms.moving_to, rules.capacity_mhz, size=vms.size
    )
    return [breach.rule.name for breach in found if breach.rule.hard]


def rules_of(result: RunTables) -> list[dict[str, Any]]:
    """Return the rules of a result for its report."""
    table = result.tables.get("rules")
    return [] if table is None else table.to_pylist()


def _by_domain(kind: str) -> bool:
    """Whether rules of a kind go by host, rack or site."""
    return kind in ("together", "apart", "spread")


def _has_rules(run: PlayedCase) -> bool:
    return run.case.rules is not None


ONLY = "Only where the scenario has `constraints`."
RULES = Topic(
    name="rules",
    values=rule_values,
    tables=(
        TopicTable("rules", rules_table, _has_rules, ONLY),
        TopicTable("rule_violations", rule_violations, _has_rules, ONLY),
    ),
    section=Section("Rules", ("rules_broken_vm_h",)),
    facts={"rules": rules_of},
)
