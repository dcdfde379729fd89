"""Turns of the rules of placement: each field of each kind changes an outcome."""

from pathlib import Path
from typing import Any

Changes = dict[str, Any]
Turns = dict[str, tuple[Changes, Changes]]

OWN: dict[str, Changes] = {
    "together": {},
    "apart": {},
    "spread": {},
    "fence": {"hosts": ["x-*"]},
    "ban": {"hosts": ["x-*"]},
    "lonely": {},
    "preserve": {"cpu": "1 GHz"},
    "dedicated": {"hosts": ["x-01"]},
}
"""What each kind needs beside VMs."""

OTHER: Changes = {
    "name": "other", "vms": ["147*"], "sizes": ["b"], "tenants": ["t"], "penalty": 1,
}  # fmt: skip
TURNED: dict[str, Changes] = {
    "together": {"domain": "rack"},
    "apart": {"domain": "rack"},
    "spread": {"domain": "host", "at_most": 2},
    "fence": {"hosts": ["y-*"]},
    "ban": {"hosts": ["y-*"]},
    "lonely": {},
    "preserve": {"cpu": "2 GHz"},
    "dedicated": {"hosts": ["x-02"]},
}

TABLE = "rule,type,vm,host\npen,fence,146*,x-*\n"


def constraint_turns(sizes: list[Changes]) -> Turns:
    """Return the turns; the second of the sizes is to belong to nobody."""
    farm = {
        "farm.hosts_per_rack": 4, "tenants": [{"name": "t"}],
        "workload.sizes": [sizes[0] | {"tenant": "t"}, *sizes[1:]],
    }  # fmt: skip

    def ruled(kind: str, **fields: Any) -> Changes:
        rule = {"name": "rule", "type": kind, "vms": ["146*"], **OWN[kind], **fields}
        return farm | {"constraints": [rule]}

    turns: Turns = {}
    for kind, own in TURNED.items():
        turns[f"constraints[]<{kind}>.type"] = (farm, ruled(kind))
        for field, value in (OTHER | own).items():
            turns[f"constraints[]<{kind}>.{field}"] = (ruled(kind), ruled(kind, **{field: value}))
    turns["constraints_file"] = (
        {"constraints_file": "rules.csv"}, {"constraints_file": "more-rules.csv"},
    )  # fmt: skip
    return turns


def write_rules(folder: Path) -> None:
    """Write the tables that the turns name."""
    (folder / "rules.csv").write_text(TABLE)
    (folder / "more-rules.csv").write_text(TABLE + "pen,,147*,\n")
