"""The farms whose speed is measured: scenarios and the tables that they read.

Each function writes what it needs into a folder and returns what farmsim is given there: a
scenario and overrides as for ``--set``. Scenarios are of the language of version 1, so that other
versions of farmsim read the same files.
"""

import shutil
from pathlib import Path
from typing import Any

import lives
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

Parts = dict[str, Any]
Given = tuple[str, ...]

NO_BASELINE: Parts = {"baseline": {"type": "none"}}
FIVE_MIN_S = 300
DAY_SLOTS = 288
PUBLISHED = "library/beloglazov2012"
SIZES = [
    {"name": "small", "vcpus": 1, "clock": "2.6 GHz", "memory": "1 GiB", "share": "50 %"},
    {"name": "medium", "vcpus": 2, "clock": "2.6 GHz", "memory": "2 GiB", "share": "40 %"},
    {"name": "large", "vcpus": 2, "clock": "2.6 GHz", "memory": "4 GiB", "share": "10 %"},
]
STANDARD: Parts = {"name": "s", "vcpus": 2, "clock": "2.5 GHz", "memory": "4 GiB"}
NODE: Parts = {
    "cores": 16, "clock": "2.6 GHz", "memory": "112 GiB",
    "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
}  # fmt: skip


def written(folder: Path, parts: Parts) -> Given:
    """Write a scenario without a baseline, unless it has one; return its file."""
    text = yaml.safe_dump({"farmsim": 1, **NO_BASELINE, **parts}, sort_keys=False)
    (folder / "scenario.yaml").write_text(text, encoding="utf-8")
    return ("scenario.yaml",)


def library(_: Path, name: str, hours: float = 0) -> Given:
    """Return a scenario of the library, shortened to some hours if they are given."""
    return (f"library/{name}", *([f"run.duration={hours} h"] if hours else []))


def lr_mmt(_: Path, hours: float = 24, times: int = 0) -> Given:
    """Return the published day of 800 hosts under LR-MMT, or a multiple of its farm and load.

    A multiple starts with VMs dealt out in turn, so that the start costs the same per VM at every
    size.
    """
    overrides = [f"run.duration={hours} h", "baseline={type: none}"]
    if times:
        overrides += [
            f"farm.hosts.g4.count={400 * times}",
            f"farm.hosts.g5.count={400 * times}",
            f"workload.vms={1052 * times}",
            "policies.initial.placement=round_robin",
            "policies.slow_cores=allow",
        ]
    return (PUBLISHED, *overrides)


def lr_mmt_over_network(folder: Path, hours: float = 24, times: int = 0) -> Given:
    """Return the published day with pre-copy over a fat tree instead of a fixed rate."""
    network = "network={layout: {topology: fat_tree, port: 1 Gbit/s}}"
    return (*lr_mmt(folder, hours, times), "migration={model: pre_copy}", network)


def lr_mmt_with(folder: Path, model: str, hours: float = 24) -> Given:
    """Return the published day with one of the models of :func:`overheads`."""
    return (*lr_mmt(folder, hours), *overheads(model, 2, 4))


def dense(
    folder: Path, hosts: int, vms_per_host: int, memory_gib: float, every: str, hours: float
) -> Given:
    """Write a farm whose memory is nearly full once consolidated, so that most drains fail.

    Servers have 56 cores; consolidation tries to drain every host in every round. The recorded
    day is held after its end if a run is as long as a year, and else repeated.
    """
    server = {"name": "h", "server": "dell_r740_8280", "count": hosts}
    control = {
        "policy": "consolidation",
        "overload": {"policy": "static_threshold", "threshold": "80 %"},
        "drain": {"policy": "least_utilised", "below": "100 %"},
    }
    return written(
        folder,
        {
            "name": "dense",
            "run": {"duration": f"{hours} h", "report_every": "1 h"},
            "farm": {"hosts": [{**server, "memory": f"{memory_gib} GiB"}]},
            "workload": {
                "source": "planetlab-20110303", "vms": hosts * vms_per_host,
                "on_end": "loop" if every == "1 h" else "hold",
                "size_order": "cycle", "sizes": SIZES,
            },
            "policies": {
                "every": every, "control": control,
                "initial": {"placement": "round_robin", "cpu_overcommit": 8},
            },
        },
    )  # fmt: skip


def flat(
    folder: Path, vms: int, hours: float = 24, model: str = "", tenants: bool = False
) -> Given:
    """Write a farm without consolidation, ten VMs to a host.

    Nothing is decided: what takes time is demand, delivery and power. ``model`` is one of those of
    :func:`overheads`; with ``tenants`` VMs are of four sizes, each with a tenant and a class.
    """
    whose = [{"class": "web", "tenant": f"t{n}"} for n in range(4)] if tenants else [{}]
    sizes = [
        {**STANDARD, "name": f"s{n}", "share": f"{100 // len(whose)} %", **more}
        for n, more in enumerate(whose)
    ]
    parts: Parts = {
        "name": "flat",
        "run": {"duration": f"{hours} h"},
        "farm": {"hosts": [{"name": "rack", "server": "dell_r740_8280", "count": vms // 10}]},
        "workload": {"source": "planetlab-20110303", "vms": vms, "sizes": sizes},
        "policies": {
            "initial": {"placement": "round_robin", "count_by": "size"},
            "every": "5 min", "control": "none",
        },
    }  # fmt: skip
    if tenants:
        parts["tenants"] = [{"name": f"t{n}"} for n in range(4)]
    return (*written(folder, parts), *overheads(model, 1, 1))


def overheads(model: str, groups: int, sizes: int) -> Given:
    """Return overrides that switch on one of the overhead models, or ``all``; none for ''.

    Interference is between VMs with a class, so it comes with classes.
    """
    overrides = []
    if model in {"hypervisor", "all"}:
        overrides += [f"farm.hosts.{group}.hypervisor=kvm" for group in range(groups)]
    if model in {"shares", "all"}:
        overrides += ["service.sharing=shares"]
    if model in {"classes", "interference", "all"}:
        overrides += [f"workload.sizes.{size}.class=web" for size in range(sizes)]
    if model in {"interference", "all"}:
        overrides += ["service.interference=true"]
    return tuple(overrides)


def invented_lives(folder: Path, hosts: int, vms: int, load: float) -> Given:
    """Write VMs that come and go at instants of their own, as :mod:`lives` draws them."""
    return written(folder, lives.invented("lives", lives.Farm(vms, hosts, load), folder))


def surf(folder: Path, file: Path, hosts: int, vms: int) -> Given:
    """Write the first tasks of SURF's month as VMs; ``file`` is OpenDC's tasks.parquet."""
    parts = lives.surf(file, hosts, folder)
    parts["workload"]["arrivals"]["max_vms"] = vms
    return written(folder, parts)


def azure_month(folder: Path, file: Path, vms: int) -> Given:
    """Write the first VMs of a month of arrivals on 10,000 hosts.

    ``file`` has the columns arrival_s, batch, vcpu and mem_gb; lifetimes are drawn.
    """
    shutil.copyfile(file, folder / "arrivals.parquet")
    columns = {"arrival": "arrival_s", "vcpus": "vcpu", "memory": "mem_gb"}
    arrivals = {
        "type": "table", "path": "arrivals.parquet", "columns": columns, "max_vms": vms,
        "lifetimes": "azure_v1", "clock": "2.6 GHz", "utilisation": "10 %",
    }  # fmt: skip
    return written(
        folder,
        {
            "name": "month",
            "run": {"duration": "30 d", "report_every": "1 h"},
            "farm": {"hosts": [{"name": "h", "server": NODE, "count": 10_000}]},
            "workload": {"arrivals": arrivals},
            "policies": {
                "initial": {"placement": "best_fit", "unplaced": "reject"},
                "every": "1 h",
            },
        },
    )


def trace(folder: Path, vms: int, layout: str) -> Given:
    """Write a Parquet trace of a day at 5 min, wide or tidy, and its farm of ten VMs a host."""
    random = np.random.default_rng(1)
    percent = random.uniform(0, 100, (DAY_SLOTS, vms)).round(2)
    time_s = np.arange(DAY_SLOTS) * FIVE_MIN_S
    names = [f"vm-{n:06}" for n in range(vms)]
    if layout == "wide":
        table = pa.table({"time": time_s, **dict(zip(names, percent.T, strict=True))})
    else:
        table = pa.table({
            "time": np.repeat(time_s, vms),
            "vm": pa.array(names * DAY_SLOTS),
            "cpu": percent.ravel(),
        })  # fmt: skip
    pq.write_table(table, folder / "trace.parquet")
    source = {"type": "parquet", "path": "trace.parquet", "layout": layout, "unit": "percent"}
    flat(folder, vms)
    parts = yaml.safe_load((folder / "scenario.yaml").read_text(encoding="utf-8"))
    return written(folder, {**parts, "workload": {**parts["workload"], "source": source}})


def failing_year(folder: Path, days: float = 365) -> Given:
    """Write a year of 1,000 hosts with 10,000 VMs, sampled every hour.

    A host fails every 180 days on average, and is repaired within 12 hours on average.
    """
    (folder / "hourly.csv").write_text("time,all\n0,30\n3600,30\n", encoding="utf-8")
    size = {"name": "vm", "vcpus": 1, "clock": "2.6 GHz", "memory": "7 GiB"}
    times = {
        "time_to_failure": {"distribution": "exponential", "mean": "180 d"},
        "repair": {"distribution": "lognormal", "mean": "12 h"},
    }
    host = {"name": "h", "server": NODE, "count": 1000, "hypervisor": "kvm"}
    return written(
        folder,
        {
            "name": "year",
            "run": {"duration": f"{days} d", "report_every": "1 h"},
            "farm": {"hosts": [host]},
            "workload": {
                "source": {"type": "csv", "path": "hourly.csv"}, "match_series_by": "cycle",
                "vms": 10_000, "sizes": [size],
            },
            "policies": {"initial": {"placement": "round_robin"}, "every": "1 d"},
            "failures": {"entries": [{"name": "hosts", "component": "host", **times}]},
        },
    )  # fmt: skip
