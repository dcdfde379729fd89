"""Cases that turn the fields of rules and of the reserve."""

from pathlib import Path
from typing import Any

from vms_table_turns import listed as listed_vms

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

    def grouped(kind: str, **fields: Any) -> Changes:
        rule = {"name": "rule", "type": kind, "vms": ["web-[01]"], **OWN[kind], **fields}
        return {**listed_vms(), "farm.hosts_per_rack": 4, "constraints": [rule]}

    turns: Turns = {}
    for kind, own in TURNED.items():
        turns[f"constraints[]<{kind}>.groups"] = (grouped(kind), grouped(kind, groups=["front"]))
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


OF_RESERVES: dict[str, tuple[Changes, Changes, Changes]] = {
    "kind": ({}, {"kind": "hosts"}, {"kind": "share"}),
    "hosts": (
        {}, {"kind": "dedicated", "hosts": ["y-12"]}, {"kind": "dedicated", "hosts": ["y-1*"]},
    ),
    "check": (
        TORN, {"kind": "hosts", "hosts": 2, "check": "sum"}, {"kind": "hosts", "hosts": 2},
    ),
    "memory": (
        {}, {"kind": "share", "memory": "20 %", "cpu": "0 %"},
        {"kind": "share", "memory": "80 %", "cpu": "0 %"},
    ),
    "cpu": (
        {}, {"kind": "share", "memory": "0 %", "cpu": "10 %"},
        {"kind": "share", "memory": "0 %", "cpu": "40 %"},
    ),
}  # fmt: skip
"""For each field of a reserve what else is changed, and two reserves."""


def in_cluster(sizes: list[Changes], base: Changes, reserve: Any) -> Changes:
    """One cluster over all hosts, with a reserve."""
    sizes = base.get("workload.sizes", sizes)
    return base | {
        "farm.clusters": [{"name": "all", "hosts": ["x", "y"], "reserve": reserve}],
        "workload.sizes": [size | {"cluster": "all"} for size in sizes],
    }


def reserve_turns(sizes: list[Changes]) -> dict[str, tuple[Changes, Changes]]:
    """Turns of a reserve, one or a list, of the farm and of a cluster."""
    turns: dict[str, tuple[Changes, Changes]] = {}
    for field, (base, one, other) in OF_RESERVES.items():
        for listed, brackets in ((False, ""), (True, "[]")):
            pair = [[each] if listed else each for each in (one, other)]
            turns[f"policies.reserve{brackets}.{field}"] = (
                base | {"policies.reserve": pair[0]}, base | {"policies.reserve": pair[1]},
            )  # fmt: skip
            turns[f"farm.clusters[].reserve{brackets}.{field}"] = (
                in_cluster(sizes, base, pair[0]), in_cluster(sizes, base, pair[1]),
            )  # fmt: skip
    return turns
