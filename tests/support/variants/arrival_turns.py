"""Cases that turn the fields of arrivals and of the lives of VMs."""

import shutil
from pathlib import Path
from typing import Any

Changes = dict[str, Any]
Turns = dict[str, tuple[Changes, Changes]]

DATA = Path(__file__).parents[2] / "data" / "arrivals"
TENANTS = {"tenants": [{"name": "shop"}, {"name": "lab"}]}
SOURCES: dict[str, Changes] = {
    "table": {"path": "arrivals/both.csv"},
    "azure": {"path": "arrivals/azure_v2.csv"},
    "huawei_east_1": {"path": "arrivals/huawei_east_1.csv"},
    "opendc": {"path": "arrivals/opendc"},
    "generated": {"rate": 0.02},
}
OTHER_PATHS = {
    "table": "arrivals/bare.csv",
    "azure": "arrivals/azure_v1.csv",
    "huawei_east_1": "arrivals/huawei_2.csv",
    "opendc": "arrivals/opendc_old",
}
BARE = {"path": "arrivals/bare.csv"}
OLD = {"path": "arrivals/opendc_old"}
COLUMNS = {
    "arrival": (("0", "600"), ("0", "1200")),
    "vcpus": (("2", "1"), ("4", "1")),
    "memory": (("2", "4"), ("3", "5")),
    "lifetime": (("900", ""), ("3600", "60")),
    "clock": (("2000", "2100"), ("1000", "1500")),
    "utilisation": (("20", "30"), ("50", "10")),
    "tenant": (("shop", "lab"), ("lab", "")),
    "class": (("web", ""), ("oltp", "web")),
    "priority": (("1", "2"), ("2", "1")),
    "vm": (("a", "b"), ("c", "d")),
}
"""Cells of two VMs, and of a second column of the same kind."""
ROOMY = {"name": "h", "server": "dell_r740_8280", "count": 4}
CROWDED = {**ROOMY, "count": 1, "memory": "16 GiB"}


def arrivals(type_: str, **values: Any) -> Changes:
    """A small farm, shared out to two tenants, with arrivals and nothing that moves VMs."""
    return {
        "farm.hosts": [ROOMY],
        "workload": {"arrivals": {"type": type_, **SOURCES[type_], **values}},
        "policies.control": "none",
        "baseline": {"type": "none"},
        **TENANTS,
    }


def in_cluster(name: str, type_: str, **values: Any) -> Changes:
    """The VMs in one of two clusters of two hosts each."""
    groups = [ROOMY | {"name": group, "count": 2} for group in "hk"]
    clusters = [{"name": "p", "hosts": ["h"]}, {"name": "q", "hosts": ["k"]}]
    farm = {"farm.hosts": groups, "farm.clusters": clusters}
    return arrivals(type_, **values, cluster=name) | farm


def arrival_turns() -> Turns:
    """One turn for each parameter of each source."""
    turns: Turns = {}
    for type_ in SOURCES:
        common = {
            "trace_start": "10 min", "sample_share": "40 %", "max_vms": 1, "tenant": "shop",
            "class": "web",
            "clock": "1 GHz",
        }  # fmt: skip
        for key, value in common.items():
            source = BARE if type_ == "table" else OLD if type_ == "opendc" else {}
            turns[f"{type_}.{key}"] = (
                arrivals(type_, **source), arrivals(type_, **source, **{key: value}),
            )  # fmt: skip
        if type_ in OTHER_PATHS:
            turns[f"{type_}.path"] = (arrivals(type_), arrivals(type_, path=OTHER_PATHS[type_]))
        source = BARE if type_ == "table" else OLD if type_ == "opendc" else {}
        turns[f"{type_}.cluster"] = (
            in_cluster("p", type_, **source), in_cluster("q", type_, **source),
        )  # fmt: skip
        other = "generated" if type_ != "generated" else "azure"
        turns[f"{type_}.type"] = (arrivals(type_), arrivals(other))
    for type_, source in (("table", BARE), ("huawei_east_1", {}), ("opendc", OLD)):
        one = arrivals(type_, **source)
        turns[f"{type_}.utilisation"] = (one, arrivals(type_, **source, utilisation="50 %"))
    turns |= _own_turns()
    return {f"workload.arrivals<{key.replace('.', '>.', 1)}": turn for key, turn in turns.items()}


def _own_turns() -> Turns:
    """Turns of parameters that one source alone has."""
    turns: Turns = {
        f"table.columns.{role}": (
            arrivals("table"), arrivals("table", columns={role: f"{role}2"}),
        )
        for role in COLUMNS
    }  # fmt: skip
    ends = {"path": "arrivals/ends.csv"}
    turns["table.columns.end"] = (
        arrivals("table", **ends), arrivals("table", **ends, columns={"end": "end2"}),
    )  # fmt: skip
    many = {"path": "arrivals/many.csv", "sample_share": "30 %"}
    turns["table.columns.batch"] = (
        arrivals("table", **many), arrivals("table", **many, columns={"batch": "batch2"}),
    )  # fmt: skip
    crowd = {"path": "arrivals/many.csv"}
    crowded = {"farm.hosts": [CROWDED], "policies.initial.unplaced": "reject"}
    turns["table.columns.priority"] = (
        arrivals("table", **crowd) | crowded,
        arrivals("table", **crowd, columns={"priority": "priority2"}) | crowded,
    )
    for type_, key, source, value in (
        ("table", "time_unit", {}, "ms"),
        ("table", "memory_unit", {}, "GB"),
        ("table", "utilisation_unit", {}, "share"),
        ("table", "lifetimes", BARE, "azure_v1"),
        ("azure", "utilisation_statistic", {}, "p95"),
        ("azure", "vcpus_above_24", {}, 20),
        ("azure", "memory_above_64", {}, "80 GiB"),
        ("opendc", "memory_unit", {}, "MB"),
        ("generated", "rate", {}, 0.05),
        ("generated", "daily_variation", {}, 0.0),
    ):
        turns[f"{type_}.{key}"] = (
            arrivals(type_, **source), arrivals(type_, **(source | {key: value})),
        )  # fmt: skip
    return turns


def write_arrivals(folder: Path) -> None:
    """Write the files that the turns name into a folder."""
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    shutil.copytree(DATA, folder)
    cells = {role: one for role, (one, _) in COLUMNS.items()}
    cells |= {f"{role}2": other for role, (_, other) in COLUMNS.items()}
    _write(folder / "both.csv", cells)
    bare = {"arrival": ("0", "600"), "vcpus": ("2", "1"), "memory": ("2", "4")}
    _write(folder / "bare.csv", bare)
    ends = {"end": ("900", "1200"), "end2": ("1200", "")}
    _write(folder / "ends.csv", bare | ends)
    count = 40
    _write(folder / "many.csv", {
        "arrival": ["0"] * 2 + ["60"] * (count - 2),
        "vcpus": ["2"] * count,
        "memory": ["6"] * count,
        "lifetime": [str(300 + 20 * vm) for vm in range(count)],
        "batch": [str(vm // 4) for vm in range(count)],
        "batch2": [str(vm % 7) for vm in range(count)],
        "priority": [str(vm % 3) for vm in range(count)],
        "priority2": [str((vm + 1) % 3) for vm in range(count)],
    })  # fmt: skip
    events = (folder / "huawei_east_1.csv").read_text().replace("14,2,4", "14,4,8")
    (folder / "huawei_2.csv").write_text(events)
    (folder / "opendc_old").mkdir()
    tasks = {
        "id": ["x", "y"], "submissionTime": [0, 600_000], "endTime": [1_200_000, 5_000_000],
        "maxCores": [2, 1], "requiredMemory": [4_000_000, 2_000_000],
    }  # fmt: skip
    parquet.write_table(pa.table(tasks), folder / "opendc_old" / "tasks.parquet")


def _write(path: Path, columns: dict[str, Any]) -> None:
    rows = [",".join(columns), *(",".join(row) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(rows) + "\n")


MANY = {"path": "arrivals/many.csv"}
"""Forty VMs, two from the start, the others after a minute; they stay for 5 to 18 minutes."""


def crowded(**admission: Any) -> Changes:
    """Return a farm that is too small for those who come, so that some wait."""
    waiting = {f"admission.{key}": value for key, value in admission.items()}
    small = {"farm.hosts": [CROWDED], "policies.initial.unplaced": "reject"}
    return arrivals("table", **MANY) | small | waiting


def provisioned(method: str, **values: Any) -> Changes:
    """Return a farm with room for all, where starts take time."""
    part = {f"provisioning.{key}": value for key, value in values.items()}
    return arrivals("table", **MANY) | {"provisioning.method": method} | part


def life_turns() -> Turns:
    """Return the turns by path."""
    few = {"max_queue": 0, "retries": 1}
    copy = "template_copy"
    return {
        "admission.max_queue": (crowded(), crowded(max_queue=2)),
        "admission.max_wait": (crowded(), crowded(max_wait="10 min")),
        "admission.retries": (crowded(max_queue=0), crowded(**few)),
        "admission.retry_after": (crowded(**few), crowded(**few, retry_after="20 min")),
        "provisioning.method": (provisioned("linked_clone"), provisioned(copy)),
        "provisioning.image": (provisioned(copy), provisioned(copy, image="40 GiB")),
        "provisioning.copy_bandwidth": (
            provisioned(copy),
            provisioned(copy, copy_bandwidth="1 Gbit/s"),
        ),
        "provisioning.boot": (provisioned(copy), provisioned(copy, boot="5 min")),
        "provisioning.starts_per_host": (provisioned(copy), provisioned(copy, starts_per_host=1)),
    }
