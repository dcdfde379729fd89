"""Cases that turn the fields of rules and of the reserve."""

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


TORN: Changes = {
    "workload.sizes": [
        {"name": "a", "vcpus": 1, "clock": "1 GHz", "memory": "1 GiB", "count": 12},
        {"name": "b", "vcpus": 1, "clock": "1 GHz", "memory": "33 GiB", "count": 6},
    ],
    "workload.vms": 18,
    "run.duration": "10 min",
    "policies.control": "power_proportional",
}
"""VMs of more than half a host: two of them find no place where sums would let them."""


def kept(kind: str, **fields: Any) -> Changes:
    return {"policies.reserve": {"kind": kind, **fields}}


RESERVE_TURNS: dict[str, tuple[Changes, Changes]] = {
    "policies.reserve.kind": (kept("hosts"), kept("share")),
    "policies.reserve.hosts": (
        kept("dedicated", hosts=["y-12"]), kept("dedicated", hosts=["y-1*"]),
    ),
    "policies.reserve.check": (
        TORN | kept("hosts", hosts=2, check="sum"), TORN | kept("hosts", hosts=2),
    ),
    "policies.reserve.memory": (
        kept("share", memory="20 %", cpu="0 %"), kept("share", memory="80 %", cpu="0 %"),
    ),
    "policies.reserve.cpu": (
        kept("share", memory="0 %", cpu="10 %"), kept("share", memory="0 %", cpu="40 %"),
    ),
}  # fmt: skip
