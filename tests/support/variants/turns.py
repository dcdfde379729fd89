"""Cases that turn each field of the scenario language, from one scenario that has them all."""

from collections.abc import Callable
from typing import Any

from application_turns import application_turns
from arrival_turns import arrival_turns, life_turns
from cluster_turns import cluster_turns
from constraint_turns import constraint_turns, reserve_turns
from host_turns import FREQUENCY, failure_turns, management_turns
from planning_turns import planning_turns
from snapshot_turns import snapshot_turns
from vms_table_turns import vms_table_turns

Changes = dict[str, Any]
Turns = dict[str, tuple[Changes, Changes]]

WATTS = [100, 110, 120, 130, 140, 150, 160, 170, 180, 190, 200]
SIZES = [
    {"name": "a", "vcpus": 1, "clock": "1 GHz", "memory": "1 GiB", "share": "50 %"},
    {"name": "b", "vcpus": 2, "clock": "0.6 GHz", "memory": "2 GiB", "share": "50 %"},
]
CLASS = {
    "share": 0.5, "level_variance": 0.3, "slow_variance": 0.2, "slow_time_constant": "1 h",
    "fast_variance": 0.2, "fast_time_constant": "10 min", "daily_variance": 0.1,
    "noise_variance": 0.1, "shared_variance": 0.1, "quantiles": [0, 20, 60, 100],
}  # fmt: skip
CONSOLIDATION = {"policy": "consolidation", "overload": {"policy": "static_threshold"}}
BASE: Changes = {
    "name": "parameters",
    "run": {"duration": "3 h"},
    "farm": {
        "hosts": [
            {"name": "x", "server": "hp_ml110_g4", "count": 12, "memory": "64 GiB"},
            {"name": "y", "server": "hp_ml110_g5", "count": 12, "memory": "64 GiB"},
        ]
    },
    "workload": {"source": "planetlab-20110303", "vms": 40, "sizes": SIZES},
    "policies": {"control": CONSOLIDATION},
    "baseline": {"type": "dedicated"},
}


def power(model: str, **values: Any) -> Changes:
    return {"model": model, **values}


POWERS: Turns = {
    "table": ({"watts": WATTS}, {"watts": [50, *WATTS[1:]]}),
    "constant": ({"power": "100 W"}, {"power": "120 W"}),
    "fan": ({"r": 1.4}, {"r": 2.0}),
    "asymptotic": ({"tau": 0.3}, {"tau": 0.1}),
}
BETWEEN = ("linear", "square", "cubic", "square_root", "fan", "asymptotic")


def power_turns(where: str, wrap: Callable[[Changes], Changes]) -> Turns:
    """Turns of every power model, at a place of the scenario."""
    turns: Turns = {}
    for model in BETWEEN:
        fixed = {"idle": "80 W", "max": "200 W", **POWERS.get(model, ({}, {}))[0]}
        for key, value in (("idle", "90 W"), ("max", "210 W")):
            turns[f"<{model}>.{key}"] = (
                power(model, **fixed),
                power(model, **fixed | {key: value}),
            )
    for model, (one, other) in POWERS.items():
        fixed = {"idle": "80 W", "max": "200 W"} if model in BETWEEN else {}
        key = next(iter(one))
        turns[f"<{model}>.{key}"] = (power(model, **fixed, **one), power(model, **fixed, **other))
    turns |= {f"<dvfs>.{key}": pair for key, pair in FREQUENCY.items()}
    turns[""] = (power("constant", power="100 W"), power("linear", idle="50 W", max="100 W"))
    return {f"{where}{key}": (wrap(a), wrap(b)) for key, (a, b) in turns.items()}


def inline(**more: Any) -> Changes:
    server = {
        "cores": 4,
        "clock": "2 GHz",
        "memory": "32 GiB",
        "power": power("constant", power="90 W"),
    }
    return {"farm.hosts.0.server": server | more}


def policy(part: str, name: str | None = None, **values: Any) -> Changes:
    return {f"policies.control.{part}": {"policy": name, **values}}


def source(type_: str, **values: Any) -> Changes:
    return {"workload.source": {"type": type_, **values}}


def synthetic(**values: Any) -> Changes:
    classes = [CLASS | values, {"share": 0.5, "quantiles": [0, 90]}]
    return source("synthetic", classes=classes)


def bursts(**values: Any) -> Changes:
    given = {"per_day": 20, "duration": "15 min", "height": "90 %"} | values
    return source("synthetic", bursts=given)


def sizes(**values: Any) -> Changes:
    return {"workload.sizes": [SIZES[0] | values, SIZES[1]]}


WIDE = {"type": "csv", "path": "wide.csv"}
TIDY = {"type": "csv", "path": "tidy.csv", "layout": "tidy"}
RESAMPLE = {"type": "resample", "trace": "azure-v1-week", "block": "1 h"}
CYCLE = {"workload.match_series_by": "cycle"}
DOLLARS: Changes = {
    "farm.hosts.0.hypervisor": "esxi", "workload.vms": 4, "cost.currency": "USD",
    "cost.energy_price": "0.21 USD/kWh", "cost.server_price": "7000 USD",
}  # fmt: skip
SMALL_GAPS = {"workload.source": {"type": "planetlab", "path": "gaps"}, **CYCLE}
ABOVE = {"workload.source": {"type": "planetlab", "path": "above"}, **CYCLE}
BACKWARDS = {
    "workload.vms": None, "workload.source": {"type": "planetlab", "path": "one"},
    "workload.sizes": [
        {"name": f"vm{5 - number}", "vcpus": number + 1, "clock": "0.5 GHz", "count": 1}
        for number in range(6)
    ],
}  # fmt: skip
LONG = {"run.duration": "6 h"}
TIGHT = {"farm.hosts.0.memory": "3 GiB", "farm.hosts.1.memory": "3 GiB"}
PABFD = {"policy": "power_aware_best_fit_decreasing", "compare_with": "measured"}
NOISY = {**LONG, "workload.vms": 60, "policies.initial.cpu_overcommit": 6}


def trace_turns(where: str, wrap: Callable[[Changes], Changes]) -> Turns:
    """Turns of every recorded source, at a place of the scenario."""
    one: Turns = {
        "<shipped>.type": ({"type": "shipped", "name": "azure-v1-week"}, WIDE),
        "<shipped>.name": (
            {"type": "shipped", "name": "azure-v1-week"},
            {"type": "shipped", "name": "planetlab-20110303"},
        ),
        "<planetlab>.type": ({"type": "planetlab", "path": "one"}, WIDE),
        "<planetlab>.path": (
            {"type": "planetlab", "path": "one"}, {"type": "planetlab", "path": "two"},
        ),
        "<planetlab>.step": (
            {"type": "planetlab", "path": "one"},
            {"type": "planetlab", "path": "one", "step": "10 min"},
        ),
        "<csv>.type": (WIDE, WIDE | {"type": "parquet", "path": "wide.parquet"}),
        "<csv>.path": (WIDE, WIDE | {"path": "other.csv"}),
        "<csv>.layout": (TIDY, TIDY | {"layout": "wide", "path": "tidy_as_wide.csv"}),
        "<csv>.time": (WIDE, WIDE | {"time": "clock"}),
        "<csv>.vm": (TIDY, TIDY | {"vm": "name"}),
        "<csv>.value": (TIDY, TIDY | {"value": "load"}),
        "<csv>.unit": (
            WIDE | {"path": "shares.csv", "unit": "share"},
            WIDE | {"path": "shares.csv", "unit": "percent"},
        ),
        "<csv>.time_unit": (WIDE, WIDE | {"time_unit": "min"}),
        "<planetlab>.unit": (
            {"type": "planetlab", "path": "parts", "unit": "share"},
            {"type": "planetlab", "path": "parts", "unit": "percent"},
        ),
        "<bitbrains>.type": ({"type": "bitbrains", "path": "bitbrains"}, WIDE),
        "<bitbrains>.path": (
            {"type": "bitbrains", "path": "bitbrains"}, {"type": "bitbrains", "path": "bitbrains2"},
        ),
        "<bitbrains>.step": (
            {"type": "bitbrains", "path": "bitbrains"},
            {"type": "bitbrains", "path": "bitbrains10", "step": "10 min"},
        ),
    }  # fmt: skip
    return {f"{where}{key}": (wrap(a), wrap(b)) for key, (a, b) in one.items()}


OVERLOAD = "policies.control<consolidation>.overload"
HISTORY = {**NOISY, "policies.control.drain": "none"}


def adaptive(name: str, **values: Any) -> Changes:
    return {**HISTORY, **policy("overload", name, **values)}


KVM: Changes = {"farm.hosts.0.hypervisor": "kvm", "farm.hosts.1.hypervisor": "kvm"}
REQUEST = {
    "cpu": "5 ms", "reference_clock": "2 GHz", "storage_operations": 5, "storage_data": "1 MiB",
    "network_packets": 20, "network_data": "1 MiB", "round_trips": 2, "exits": 50,
    "memory_share": 0.1, "mmu_share": 0.1, "vector_share": 0.1, "service_cv": 1.0,
    "cache_sensitivity": 0.5, "memory_bandwidth_sensitivity": 0.5, "disk_sensitivity": 0.5,
    "cache_pressure": 1.0, "memory_bandwidth_pressure": 1.0, "disk_pressure": 1.0,
}  # fmt: skip
BUSY: Changes = {
    **KVM, **source("constant", utilisation="90 %"), "policies.control": "none",
    "policies.initial.cpu_overcommit": 2, "run.duration": "30 min",
}  # fmt: skip


def profile(**change: Any) -> Changes:
    return {**KVM, "farm.hosts.0.hypervisor": {"based_on": "kvm", "change": change}}


def requests(**values: Any) -> Changes:
    """Crowded hosts whose VMs slow each other."""
    return {
        **BUSY, "service.interference": True,
        "workload.sizes": [SIZES[0] | {"class": REQUEST | values}, SIZES[1] | {"class": REQUEST}],
    }  # fmt: skip


def fair(**values: Any) -> Changes:
    return {**BUSY, **sizes(**values), "service.sharing": "shares"}


ONE_CLASS: Changes = {
    **source("constant", utilisation="40 %"), "run.duration": "1 min", "workload.vms": 4,
    "workload.sizes": [SIZES[0] | {"class": REQUEST, "share": "100 %"}],
    "policies.control": "none",
}  # fmt: skip


def tenants(name: str = "t", **values: Any) -> Changes:
    return {
        "tenants": [{"name": name, **values}], **sizes(tenant=name),
        "policies.initial.placement": "worst_fit", "policies.control": "none",
    }  # fmt: skip


EMPTYING = {"policy": "evacuation", "hosts": "x-*", "at": "5 min"}
MOVES: Changes = {
    **source("constant", utilisation="90 %"), "run.duration": "20 min", "workload.vms": 24,
    "policies.control": EMPTYING, "policies.initial.placement": "round_robin",
    "baseline": {"type": "none"}, "migration": {"model": "suspend_resume"},
}  # fmt: skip
ONE_BY_ONE: Changes = {**MOVES, "network.migration_order": "serial", "workload.size_order": "cycle"}
DISKS: Changes = {
    **MOVES, "workload.sizes": [size | {"disk": "4 GiB"} for size in SIZES],
}  # fmt: skip
CURVE = {"model": "curve", "times": ["1 s", "4 s"], "shares": [0.1, 0.5]}
FLOOD = {"model": "rate", "rate": "4 Gbit/s", "working_set": "50 %"}


def moves(model: str, **values: Any) -> Changes:
    """Forced moves by a model, over ports of 1 Gbit/s."""
    return {
        **DISKS, "migration": {"model": model, **values},
        "network.layout": {"topology": "single_switch", "port": "1 Gbit/s"},
    }  # fmt: skip


def written_disks(rate: str) -> Changes:
    """Moves with disks to which the guests write meanwhile."""
    sizes = [size | {"disk": "10 GiB", "disk_writes": rate} for size in SIZES]
    return {**moves("suspend_resume", storage="before"), "workload.sizes": sizes}


def layout(topology: str, **values: Any) -> Changes:
    return {**MOVES, "network.layout": {"topology": topology, **values}}


def wired(first: Changes) -> Changes:
    """A graph of two switches; its first link, that of host x-01, differs."""
    names = [f"{group}-{number:02}" for group in "xy" for number in range(1, 13)]
    port = {"bandwidth": "1 Gbit/s"}
    links = [{"between": [name, "left" if name[0] == "x" else "right"], **port} for name in names]
    trunk = {"between": ["left", "right"], "bandwidth": "10 Gbit/s"}
    return layout("graph", links=[links[0] | first, *links[1:], trunk])


def sited(site: Changes | None = None, **line: Any) -> Changes:
    """Two sites, the first with two racks; its VMs go to the second."""
    given = {"name": "s", "groups": ["x"], "hosts_per_rack": 6, **(site or {})}
    joined = {"between": [given["name"], "t"], "bandwidth": "1 Gbit/s", **line}
    rest = "x" if given["groups"] == ["y"] else "y"
    other: Changes = {"name": "t", "groups": [rest]}
    if "hosts" in given:
        other = {"name": "t", "hosts": 24 - given["hosts"]}
    return layout("sites", sites=[given, other], lines=[joined])


def chained(one: str, other: str) -> Changes:
    """Three sites; the slow line from the first, which is emptied, is that given."""
    sites = [{"name": name, "hosts": hosts} for name, hosts in (("s", 12), ("t", 6), ("u", 6))]
    lines = [
        {"between": [one, other], "bandwidth": "500 Mbit/s"},
        {"between": ["t", "u"], "bandwidth": "100 Mbit/s"},
    ]
    return layout("sites", sites=sites, lines=lines)


def site_turns() -> Turns:
    """Turns of several sites."""
    count = {"groups": None, "hosts": 12}
    turns: Turns = {
        "sites[].name": (sited(), sited({"name": "u"})),
        "sites[].groups": (sited(), sited({"groups": ["y"]})),
        "sites[].hosts": (sited(count), sited(count | {"hosts": 13})),
        "sites[].port": (sited(), sited({"port": "100 Mbit/s"})),
        "sites[].latency": (sited(), sited({"latency": "50 ms"})),
        "sites[].hosts_per_rack": (sited(), sited({"hosts_per_rack": 4})),
        "sites[].uplink": (sited(), sited({"uplink": "100 Mbit/s"})),
        "lines[].bandwidth": (sited(), sited(bandwidth="100 Mbit/s")),
        "lines[].latency": (sited(), sited(latency="50 ms")),
        "lines[].between": (chained("s", "t"), chained("s", "u")),
    }
    return {f"network.layout.{key}": pair for key, pair in turns.items()}


def dirty_turns(model: str, **fixed: Any) -> Turns:
    """Turns of how the guest dirties its memory, in a model that copies while it runs."""

    def dirtied(dirty: Changes, **change: Any) -> Changes:
        return moves(model, **fixed, dirty=dirty | change)

    return {
        f"migration<{model}>.dirty{key}": pair
        for key, pair in {
            "": (moves(model, **fixed), dirtied(CURVE)),
            "<rate>.rate": (dirtied(FLOOD), dirtied(FLOOD, rate="100 Mbit/s")),
            "<rate>.working_set": (dirtied(FLOOD), dirtied(FLOOD, working_set="20 %")),
            "<rate>.follows_cpu": (
                dirtied(FLOOD, rate="100 Mbit/s"),
                dirtied(FLOOD, rate="100 Mbit/s", follows_cpu=False),
            ),
            "<curve>.times": (dirtied(CURVE), dirtied(CURVE, times=["10 s", "400 s"])),
            "<curve>.shares": (dirtied(CURVE), dirtied(CURVE, shares=[0.1, 0.2])),
            "<curve>.follows_cpu": (
                dirtied(CURVE, times=["10 s", "400 s"]),
                dirtied(CURVE, times=["10 s", "400 s"], follows_cpu=True),
            ),
        }.items()
    }


def move_turns() -> Turns:
    """Turns of every migration model that uses the network."""
    shared = {
        "max_bandwidth": "100 Mbit/s", "target_load": "90 %", "drain": "3 s", "announce": "1 s",
        "acknowledge": False,
    }  # fmt: skip
    memory = {
        "guest_loss": "50 %", "setup": "5 s", "resume": "2 s", "used_share": "50 %",
        "page_header_bytes": 64.0,
    }  # fmt: skip
    remote = {"state": "400 MiB", "touches_per_s": 9000.0, "page_fault_time": "50 ms"}
    own: dict[str, Changes] = {
        "cold": {"shutdown": "40 s", "boot": "90 s"},
        "suspend_resume": {},
        "pre_copy": {
            "downtime_target": "5 s",
            "max_rounds": 0,
            "first_pass_bandwidth": "100 Mbit/s",
        },
        "post_copy": remote,
        "hybrid": remote,
    }
    turns: Turns = {}
    # With a disk to copy each of them also sends something while the guest runs or is off.
    copied = {"storage": "before"}
    for model, more in own.items():
        for key, value in (shared | (memory if model != "cold" else {}) | more).items():
            turns[f"migration<{model}>.{key}"] = (
                moves(model, **copied),
                moves(model, **copied, **{key: value}),
            )
        turns[f"migration<{model}>.storage"] = (moves(model), moves(model, **copied))
        if model != "cold":
            sparse = {"used_share": "50 %"}
            turns[f"migration<{model}>.zero_scan"] = (
                moves(model, **sparse),
                moves(model, **sparse, zero_scan="1 Gbit/s"),
            )
    stubborn: Changes = {"dirty": FLOOD}
    for key, value in {
        "max_copied": 1.5,
        "max_stalled_rounds": 1,
        "if_not_converging": "cancel",
    }.items():
        turns[f"migration<pre_copy>.{key}"] = (
            moves("pre_copy", **stubborn),
            moves("pre_copy", **stubborn, **{key: value}),
        )
    slowing = stubborn | {"if_not_converging": "throttle", "downtime_target": "10 ms"}
    for key, value in {
        "throttle_first": "70 %",
        "throttle_step": "50 %",
        "throttle_max": "21 %",
    }.items():
        turns[f"migration<pre_copy>.{key}"] = (
            moves("pre_copy", **slowing),
            moves("pre_copy", **slowing, **{key: value}),
        )
    rising = stubborn | {"first_pass_bandwidth": "100 Mbit/s"}
    turns["migration<pre_copy>.bandwidth_step"] = (
        moves("pre_copy", **rising),
        moves("pre_copy", **rising, bandwidth_step="400 Mbit/s"),
    )
    switching = stubborn | {"if_not_converging": "post_copy"}
    for key, value in remote.items():
        turns[f"migration<pre_copy>.{key}"] = (
            moves("pre_copy", **switching),
            moves("pre_copy", **switching, **{key: value}),
        )
    return turns | dirty_turns("pre_copy") | dirty_turns("hybrid")


PASSING: Changes = {
    "farm.hosts.0.server": "dell_r740_8280", "farm.hosts.0.hypervisor": "kvm",
    "farm.hosts.0.network_path": "passthrough", "farm.hosts.1.hypervisor": "kvm",
}  # fmt: skip


def detaching(model: str, moves_: str = "detach", **values: Any) -> Changes:
    """Forced moves of VMs that hold a device."""
    return {**moves(model, **values), **PASSING, "farm.hosts.0.passthrough_migration": moves_}


def between(kind: str, levels: tuple[str, str] | None = None, **values: Any) -> Changes:
    """Forced moves between two platforms, or between CPUs of two levels."""
    changes = {
        **written_disks("1 Gbit/s"), "run.duration": "1 h",
        "conversion": {"kind": kind, **values}, "farm.hosts.0.hypervisor": "kvm",
        "farm.hosts.1.hypervisor": "kvm" if levels else "xen",
    }  # fmt: skip
    for group, level in enumerate(levels or ()):
        changes[f"farm.hosts.{group}.cpu_baseline"] = level
    return changes


def platform_turns() -> Turns:
    """Turns of what moves between platforms take."""
    shared: dict[str, Any] = {
        "rate": "200 Mbit/s", "shutdown": "40 s", "boot": "90 s", "max_bandwidth": "100 Mbit/s",
        "target_load": "90 %", "drain": "3 s", "announce": "1 s", "acknowledge": False,
    }  # fmt: skip
    down, up = ("penryn", "merom"), ("merom", "penryn")
    turns: Turns = {
        "conversion": (between("cold"), between("replicated")),
        "conversion<replicated>.guest_loss": (
            between("replicated"), between("replicated", guest_loss="50 %"),
        ),
        "farm.hosts[].cpu_baseline": (between("cold", down), between("cold", up)),
        "farm.hosts[].passthrough_migration": (
            detaching("suspend_resume"), detaching("suspend_resume", "refuse"),
        ),
    }  # fmt: skip
    for kind in ("cold", "replicated"):
        for key, value in shared.items():
            turns[f"conversion<{kind}>.{key}"] = (between(kind), between(kind, **{key: value}))
    for model in ("suspend_resume", "pre_copy", "post_copy", "hybrid"):
        turns[f"migration<{model}>.detach"] = (
            detaching(model), detaching(model, detach="9 s"),
        )  # fmt: skip
    return turns


def own_models(turns: Turns) -> Turns:
    """The turns of migration models, as those of groups of hosts and of sizes of VM."""
    made: Turns = {}
    for where in ("farm.hosts", "workload.sizes"):
        for path, pair in turns.items():
            if path.partition("<")[0].partition(".")[0] != "migration":
                continue
            given = []
            for changes in pair:
                others = {key: value for key, value in changes.items() if key != "migration"}
                if "migration" in changes:
                    others["migration"] = "suspend_resume"
                    others |= {f"{where}.{row}.migration": changes["migration"] for row in (0, 1)}
                given.append(others)
            made[f"{where}[].{path}"] = (given[0], given[1])
    return made


def network_turns() -> Turns:
    """Turns of the network that moves use."""
    turns: Turns = {
        "topology": (layout("single_switch"), layout("two_tier", hosts_per_rack=4)),
        "port": (layout("single_switch"), layout("single_switch", port="1 Gbit/s")),
        "latency": (layout("single_switch"), layout("single_switch", latency="50 ms")),
        "hosts_per_rack": (
            layout("two_tier", uplink="1 Gbit/s"),
            layout("two_tier", uplink="1 Gbit/s", hosts_per_rack=4),
        ),
        "uplink": (
            layout("two_tier", hosts_per_rack=4),
            layout("two_tier", hosts_per_rack=4, uplink="1 Gbit/s"),
        ),
        "hosts_per_leaf": (
            layout("leaf_spine", uplink="1 Gbit/s"),
            layout("leaf_spine", uplink="1 Gbit/s", hosts_per_leaf=4),
        ),
        "spines": (
            layout("leaf_spine", uplink="1 Gbit/s", hosts_per_leaf=4),
            layout("leaf_spine", uplink="1 Gbit/s", hosts_per_leaf=4, spines=1),
        ),
        "ports": (layout("fat_tree"), layout("fat_tree", ports=8)),
        "links[].bandwidth": (wired({}), wired({"bandwidth": "100 Mbit/s"})),
        "links[].latency": (wired({}), wired({"latency": "1 s"})),
        "links[].between": (wired({}), wired({"between": ["x-01", "right"]})),
    }  # fmt: skip
    shown = {f"network.layout.{key}": pair for key, pair in turns.items()}
    for key, value in {
        "transport": "lv08",
        "background": "50 %",
        "max_migrations_per_host": 1,
    }.items():
        shown[f"network.{key}"] = (MOVES, {**MOVES, f"network.{key}": value})
    slow = layout("single_switch", port="1 Gbit/s", latency="10 ms")
    written = {
        "latency_factor": 9.0, "bandwidth_factor": "50 %", "cross_traffic": "50 %",
        "tcp_window": "1 KiB",
    }  # fmt: skip
    for key, value in written.items():
        shown[f"network.transport.{key}"] = (
            {**slow, "network.transport": {}}, {**slow, "network.transport": {key: value}},
        )  # fmt: skip
    return shown


def emptying(**values: Any) -> Changes:
    """Hosts are emptied; at the times of turns before it another policy acts."""
    return {**MOVES, "policies.control": EMPTYING | values}


def emptying_turns() -> Turns:
    """Turns of maintenance."""
    turns: Turns = {
        "hosts": (emptying(), emptying(hosts="y-01")),
        "at": (emptying(), emptying(at="10 min")),
        "hosts_per_wave": (emptying(), emptying(hosts_per_wave=4)),
        "maintenance_time": (emptying(hosts_per_wave=4),
            emptying(hosts_per_wave=4, maintenance_time="5 min")),
        "max_utilisation": (emptying(), emptying(max_utilisation="40 %")),
        "placement": (emptying(), emptying(placement="worst_fit")),
        "placement<power_aware_best_fit_decreasing>.compare_with": (
            emptying(hosts="y-*", placement=PABFD | {"compare_with": "tentative"}),
            emptying(hosts="y-*", placement=PABFD),
        ),
        "placement<dot_product>.memory_weight": (
            {**TIGHT, **emptying(placement={"policy": "dot_product"})},
            {**TIGHT, **emptying(placement={"policy": "dot_product", "memory_weight": 0})},
        ),
        "base_policy": (emptying(), emptying(at="15 min", base_policy=CONSOLIDATION)),
    }  # fmt: skip
    return {f"policies.control<evacuation>.{key}": pair for key, pair in turns.items()}


SWAP: Changes = {
    **source("constant", utilisation="50 %"), "run.duration": "20 min",
    "farm.hosts.0.count": 1, "farm.hosts.1.count": 1, "farm.hosts.0.memory": "2 GiB",
    "farm.hosts.1.memory": "2 GiB",
    "workload.sizes": [SIZES[1] | {"share": None, "count": 2, "memory": "2 GiB"}],
    "workload.vms": 2, "baseline": {"type": "none"},
    "policies.initial": {"placement": "first_fit", "cpu_overcommit": 1},
}  # fmt: skip


def swapped(**values: Any) -> Changes:
    """Two VMs that change places, with no third host."""
    given = {"policy": "reassign", "at": "5 min", "assignment": {"vm-1": "y-1", "vm-2": "x-1"}}
    return {**SWAP, "policies.control": given | values}


def reassigning_turns() -> Turns:
    """Turns of an assignment made elsewhere."""
    turns: Turns = {
        "assignment": (swapped(), swapped(assignment={"vm-1": "y-1"})),
        "at": (swapped(), swapped(at="10 min")),
        "base_policy": (
            swapped(assignment={"vm-1": "x-1"}),
            swapped(assignment={"vm-1": "x-1"}, base_policy={
                "policy": "evacuation", "hosts": "x-1", "at": "5 min"}),
        ),
    }  # fmt: skip
    return {f"policies.control<reassign>.{key}": pair for key, pair in turns.items()}


TURNS: Turns = {
    "overheads": (KVM, {**KVM, "overheads": "high"}),
    "tenants[].name": (tenants(), tenants("u")),
    "tenants[].isolation": (
        {**tenants(), "farm.hosts.0.tenant": "t"},
        {**tenants(isolation="dedicated"), "farm.hosts.0.tenant": "t"},
    ),
    "farm.hosts[].tenant": (tenants(), {**tenants(), "farm.hosts.0.tenant": "t"}),
    "farm.hosts[].hypervisor": (BUSY, {**BUSY, "farm.hosts.0.hypervisor": "xen"}),
    "farm.hosts[].hypervisor.based_on": (
        {**BUSY, "farm.hosts.0.hypervisor": {"based_on": "kvm"}},
        {**BUSY, "farm.hosts.0.hypervisor": {"based_on": "xen"}},
    ),
    "farm.hosts[].hypervisor.change": (profile(), profile(cpu={"plain": 0.5})),
    "farm.hosts[].assists": (
        {**requests(), "farm.hosts.0.assists": ["vt_x"]},
        {**requests(), "farm.hosts.0.assists": ["vt_x", "nested_paging"]},
    ),
    "farm.hosts[].smt_gain": (
        {"farm.hosts.0.server": "dell_r710_x5570"},
        {"farm.hosts.0.server": "dell_r710_x5570", "farm.hosts.0.smt_gain": "25 %"},
    ),
    "farm.hosts[].host_applications": (
        {**BUSY, "farm.hosts.0.hypervisor": "virtualbox"},
        {
            **BUSY, "farm.hosts.0.hypervisor": "virtualbox",
            "farm.hosts.0.host_applications": "20 %",
        },
    ),
    "farm.hosts[].licence": (KVM, {**KVM, "farm.hosts.0.licence": "100 EUR"}),
    "farm.hosts[].memory_overcommit": (
        {**KVM, "farm.hosts.0.memory": "4 GiB"},
        {**KVM, "farm.hosts.0.memory": "4 GiB", "farm.hosts.0.memory_overcommit": 2},
    ),
    "farm.hosts[].storage_iops": (requests(), {**requests(), "farm.hosts.0.storage_iops": 100}),
    "farm.hosts[].network": (requests(), {**requests(), "farm.hosts.0.network": "10 Mbit/s"}),
    "farm.hosts[].storage_path": (
        requests(), {**requests(), "farm.hosts.0.storage_path": "emulated"},
    ),
    "farm.hosts[].network_path": (
        requests(), {**requests(), "farm.hosts.0.network_path": "emulated"},
    ),
    "farm.hosts[].server.sockets": (
        {**KVM, **inline(), **sizes(vcpus=3, clock="0.3 GHz")},
        {**KVM, **inline(sockets=2), **sizes(vcpus=3, clock="0.3 GHz")},
    ),
    "service.sharing": ({**fair(shares=3000), "service.sharing": "demand"}, fair(shares=3000)),
    "service.interference": (requests(), {**requests(), "service.interference": False}),
    "service.simulate_requests": (
        {**ONE_CLASS, "service.simulate_requests": []},
        {**ONE_CLASS, "service.simulate_requests": ["vm-1"]},
    ),
    "service.idle_energy_by": (
        tenants(), {**tenants(), "service.idle_energy_by": "equal"},
    ),
    "workload.sizes[].class": (
        {**KVM, **sizes(**{"class": "web"})}, {**KVM, **sizes(**{"class": "oltp"})},
    ),
    **{
        f"workload.sizes[].class.{key}": (requests(), requests(**{key: value}))
        for key, value in {
            "cpu": "9 ms", "reference_clock": "3 GHz", "storage_operations": 9,
            "storage_data": "2 MiB", "network_packets": 40, "network_data": "2 MiB",
            "round_trips": 4, "exits": 500, "memory_share": 0.3, "mmu_share": 0.3,
            "vector_share": 0.3, "service_cv": 2.0, "cache_sensitivity": 0.9,
            "memory_bandwidth_sensitivity": 0.9, "disk_sensitivity": 0.9, "cache_pressure": 2.0,
            "memory_bandwidth_pressure": 2.0, "disk_pressure": 2.0,
        }.items()
    },
    "workload.sizes[].shares": (fair(), fair(shares=3000)),
    "workload.sizes[].reservation": (fair(), fair(reservation="0.9 GHz")),
    "workload.sizes[].limit": (sizes(), sizes(limit="0.1 GHz")),
    "workload.sizes[].tenant": ({"tenants": [{"name": "t"}]}, tenants()),
    "name": ({}, {"name": "other"}),
    "description": ({}, {"description": "about"}),
    "seed": (bursts(), {**bursts(), "seed": 5}),
    "run.duration": ({}, {"run.duration": "2 h"}),
    "run.report_every": ({}, {"run.report_every": "10 min"}),
    "run.host_series": ({}, {"run.host_series": True}),
    "farm.hosts[].name": ({}, {"farm.hosts.0.name": "z"}),
    "farm.hosts[].server": ({}, {"farm.hosts.0.server": "hp_ml110_g3"}),
    "farm.hosts[].server.cores": (inline(), inline(cores=6)),
    "farm.hosts[].server.clock": (inline(), inline(clock="3 GHz")),
    "farm.hosts[].server.memory": (
        {**inline(), "farm.hosts.0.memory": None},
        {**inline(memory="2 GiB"), "farm.hosts.0.memory": None},
    ),
    "farm.hosts[].count": ({}, {"farm.hosts.0.count": 5}),
    "farm.hosts[].memory": ({}, {"farm.hosts.0.memory": "2 GiB"}),
    "farm.hosts[].extra_power": ({}, {"farm.hosts.0.extra_power": "40 W"}),
    "farm.hosts[].performance": (BUSY, {**BUSY, "farm.hosts.0.performance": 1.5}),
    "farm.calibrate.factor": (
        {"farm.calibrate": {"factor": 1.2}}, {"farm.calibrate": {"factor": 1.3}},
    ),
    "farm.calibrate.measured_power": (
        {"farm.calibrate": {"measured_power": "700 W"}},
        {"farm.calibrate": {"measured_power": "800 W"}},
    ),
    "farm.calibrate.at": (
        {"farm.calibrate": {"measured_power": "700 W"}},
        {"farm.calibrate": {"measured_power": "700 W", "at": "10 min"}},
    ),
    "farm.hosts[].off_power": ({}, {"farm.hosts.0.off_power": "9 W"}),
    "farm.hosts[].boot.duration": (NOISY, {**NOISY, "farm.hosts.0.boot": {"duration": "5 s"}}),
    "farm.hosts[].boot.power": (
        {**NOISY, "farm.hosts.0.boot": {"duration": "60 s", "power": "50 W"}},
        {**NOISY, "farm.hosts.0.boot": {"duration": "60 s", "power": "70 W"}},
    ),
    "farm.hosts[].shutdown.duration": ({}, {"farm.hosts.0.shutdown": {"duration": "5 s"}}),
    "farm.hosts[].shutdown.power": (
        {"farm.hosts.0.shutdown": {"duration": "60 s", "power": "50 W"}},
        {"farm.hosts.0.shutdown": {"duration": "60 s", "power": "70 W"}},
    ),
    "farm.hosts[].price": ({}, {"farm.hosts.1.price": "100 EUR", "farm.hosts.0.price": "10 EUR"}),
    "farm.order": ({}, {"farm.order": "interleaved"}),
    "workload.source<constant>.type": (source("constant", utilisation="20 %"), {}),
    "workload.source<constant>.utilisation": (
        source("constant", utilisation="20 %"), source("constant", utilisation="30 %"),
    ),
    "workload.source<synthetic>.type": (source("synthetic"), {}),
    "workload.source<synthetic>.classes": (
        source("synthetic"), source("synthetic", classes="google"),
    ),
    "workload.source<synthetic>.step": (source("synthetic"), source("synthetic", step="10 min")),
    "workload.source<synthetic>.farm_factor": (
        source("synthetic"), source("synthetic", farm_factor="30 %"),
    ),
    "workload.source<synthetic>.daily_peak": (
        synthetic(), {"workload.source": synthetic()["workload.source"] | {"daily_peak": "3 h"}},
    ),
    "workload.source<synthetic>.bursts.per_day": (bursts(), bursts(per_day=2)),
    "workload.source<synthetic>.bursts.duration": (bursts(), bursts(duration="1 h")),
    "workload.source<synthetic>.bursts.height": (bursts(), bursts(height="50 %")),
    "workload.source<resample>.type": ({"workload.source": RESAMPLE}, {}),
    "workload.source<resample>.block": (
        {"workload.source": RESAMPLE}, {"workload.source": RESAMPLE | {"block": "2 h"}},
    ),
    "workload.source<resample>.draw_blocks": (
        {"workload.source": RESAMPLE}, {"workload.source": RESAMPLE | {"draw_blocks": "apart"}},
    ),
    "workload.vms": ({}, {"workload.vms": 30}),
    "workload.sizes[].name": (sizes(), sizes(name="c")),
    "workload.sizes[].vcpus": (sizes(), sizes(vcpus=2)),
    "workload.sizes[].clock": (sizes(), sizes(clock="0.8 GHz")),
    "workload.sizes[].memory": (sizes(), sizes(memory="4 GiB")),
    "workload.sizes[].count": (
        {"workload.vms": None, "workload.sizes": [{"name": "a", "count": 5}]},
        {"workload.vms": None, "workload.sizes": [{"name": "a", "count": 6}]},
    ),
    "workload.sizes[].share": (
        {}, {"workload.sizes": [SIZES[0] | {"share": "30 %"}, SIZES[1] | {"share": "70 %"}]},
    ),
    "workload.size_order": ({}, {"workload.size_order": "cycle"}),
    "workload.on_end": (
        {**source("planetlab", path="one"), **CYCLE},
        {**source("planetlab", path="one"), **CYCLE, "workload.on_end": "loop"},
    ),
    "workload.match_series_by": (BACKWARDS, {**BACKWARDS, "workload.match_series_by": "position"}),
    "workload.gaps": (
        {**SMALL_GAPS, "workload.gaps": "hold"}, {**SMALL_GAPS, "workload.gaps": "zero"},
    ),
    "workload.above_100_percent": (ABOVE, {**ABOVE, "workload.above_100_percent": "cut"}),
    "policies.initial.placement": ({}, {"policies.initial.placement": "worst_fit"}),
    "policies.initial.placement<power_aware_best_fit_decreasing>.compare_with": (
        {"policies.initial.placement": PABFD | {"compare_with": "tentative"}},
        {"policies.initial.placement": PABFD},
    ),
    "policies.initial.placement<dot_product>.memory_weight": (
        {**TIGHT, "policies.initial.placement": {"policy": "dot_product"}},
        {**TIGHT, "policies.initial.placement": {"policy": "dot_product", "memory_weight": 0}},
    ),
    "policies.initial.count_by": ({}, {"policies.initial.count_by": "demand"}),
    "policies.initial.cpu_overcommit": ({}, {"policies.initial.cpu_overcommit": 2}),
    "policies.initial.unplaced": (
        {"workload.vms": 100}, {"workload.vms": 100, "policies.initial.unplaced": "reject"},
    ),
    f"{OVERLOAD}": (HISTORY, adaptive("local_regression")),
    f"{OVERLOAD}<static_threshold>.threshold": (
        HISTORY, {**HISTORY, **policy("overload", "static_threshold", threshold="60 %")},
    ),
    "policies.control<consolidation>.selection": (
        NOISY, {**NOISY, "policies.control.selection": "random"},
    ),
    "policies.control<consolidation>.selection<maximum_correlation>.samples": (
        {**NOISY, **policy("selection", "maximum_correlation")},
        {**NOISY, **policy("selection", "maximum_correlation", samples=12)},
    ),
    "policies.control<consolidation>.placement": (
        NOISY, {**NOISY, "policies.control.placement": "worst_fit"},
    ),
    "policies.control<consolidation>.placement<power_aware_best_fit_decreasing>.compare_with": (
        NOISY, {**NOISY, "policies.control.placement": PABFD},
    ),
    "policies.control<consolidation>.placement<dot_product>.memory_weight": (
        {**NOISY, **policy("placement", "dot_product")},
        {**NOISY, **policy("placement", "dot_product", memory_weight=0)},
    ),
    "policies.control<consolidation>.drain": (NOISY, {**NOISY, "policies.control.drain": "none"}),
    "policies.control<consolidation>.drain<least_utilised>.below": (
        NOISY, {**NOISY, **policy("drain", "least_utilised", below="20 %")},
    ),
    "policies.control<consolidation>.drain<least_utilised>.drain_receivers": (
        {**NOISY, "policies.control.placement": PABFD},
        {
            **NOISY, "policies.control.placement": PABFD,
            **policy("drain", "least_utilised", drain_receivers=True),
        },
    ),
    "policies.control<consolidation>.drain<least_utilised>.skip_idle_hosts": (
        {**NOISY, "policies.control.placement": PABFD},
        {
            **NOISY, "policies.control.placement": PABFD,
            **policy("drain", "least_utilised", skip_idle_hosts=True),
        },
    ),
    "policies.control": ({}, {"policies.control": "power_proportional"}),
    "policies.every": (NOISY, {**NOISY, "policies.every": "15 min"}),
    "policies.slow_cores": (
        {"workload.sizes": [SIZES[0] | {"clock": "2.5 GHz"}, SIZES[1]]},
        {
            "workload.sizes": [SIZES[0] | {"clock": "2.5 GHz"}, SIZES[1]],
            "policies.slow_cores": "refuse",
        },
    ),
    **reserve_turns(SIZES),
    "farm.hosts_per_rack": ({}, {"farm.hosts_per_rack": 5}),
    "farm.hosts[].site": ({}, {"farm.hosts.0.site": "west"}),
    "migration": (NOISY, {**NOISY, "migration": {"model": "fixed_rate",
        "bandwidth_share": "10 %"}}),
    "service.incoming_counts_as_violation": (NOISY,
        {**NOISY, "service.incoming_counts_as_violation": True}),
    "cost.currency": (
        {},
        {
            "cost.currency": "USD", "cost.energy_price": "0.21 USD/kWh",
            "cost.server_price": "7000 USD",
        },
    ),
    "cost.energy_price": ({}, {"cost.energy_price": "0.3 EUR/kWh"}),
    "cost.pue": ({}, {"cost.pue": 1.2}),
    "cost.server_price": ({}, {"cost.server_price": "100 EUR"}),
    "cost.server_lifetime": ({}, {"cost.server_lifetime": "6 years"}),
    "cost.licence_region": (DOLLARS, DOLLARS | {"cost.licence_region": "emea"}),
    "cost.hosts_paid": ({}, {"cost.hosts_paid": "owned"}),
    "cost.investment": ({}, {"cost.investment": "1000 EUR"}),
    "cost.investment_for": (
        {"cost.investment": "1000 EUR"},
        {"cost.investment": "1000 EUR", "cost.investment_for": "hosts"},
    ),
    "baseline[]<dedicated>.type": ({}, {"baseline": {"type": "unconsolidated"}}),
    "baseline[]<dedicated>.server": (
        {}, {"baseline": {"type": "dedicated", "server": "dell_r300_l5410"}},
    ),
    "baseline[]<dedicated>.price": ({}, {"baseline": {"type": "dedicated", "price": "9 EUR"}}),
    "baseline[]<unconsolidated>.type": ({"baseline": {"type": "unconsolidated"}}, {}),
    "baseline[]<unconsolidated>.placement": (
        {"baseline": {"type": "unconsolidated"}},
        {
            "baseline": {"type": "unconsolidated", "placement": "worst_fit"},
            "policies.control": "none",
        },
    ),
    "baseline[]<unconsolidated>.placement<power_aware_best_fit_decreasing>.compare_with": (
        {
            "baseline": {
                "type": "unconsolidated", "placement": PABFD | {"compare_with": "tentative"},
            },
        },
        {"baseline": {"type": "unconsolidated", "placement": PABFD}},
    ),
    "baseline[]<unconsolidated>.placement<dot_product>.memory_weight": (
        {**TIGHT, "baseline": {"type": "unconsolidated", "placement": {"policy": "dot_product"}}},
        {**TIGHT, "baseline": {"type": "unconsolidated",
                               "placement": {"policy": "dot_product", "memory_weight": 0}}},
    ),
    "baseline[]<scenario>.type": ({"baseline": {"type": "scenario", "path": "other.yaml"}}, {}),
    "baseline[]<scenario>.path": (
        {"baseline": {"type": "scenario", "path": "other.yaml"}},
        {"baseline": {"type": "scenario", "path": "third.yaml"}},
    ),
    "baseline[]<none>.type": ({"baseline": {"type": "none"}}, {}),
    "assert": ({}, {"assert": {"energy_kwh": "< 0"}}),
    "variants": (
        {"variants": {"base": {}, "other": {"farm.hosts.0.count": 5}}},
        {"variants": {"base": {}, "other": {"farm.hosts.0.count": 6}}},
    ),
    **power_turns("farm.hosts[].power", lambda value: {"farm.hosts.0.power": value}),
    **power_turns("farm.hosts[].server.power", lambda value: inline(power=value)),
    **trace_turns("workload.source", lambda value: {"workload.source": value, **CYCLE}),
    **trace_turns(
        "workload.source<resample>.trace",
        lambda value: {"workload.source": RESAMPLE | {"trace": value, "block": "20 min"}},
    ),
    **{
        f"workload.source<synthetic>.classes[].{key}": (synthetic(), synthetic(**{key: value}))
        for key, value in {
            "share": 0.2, "level_variance": 0.9, "slow_variance": 0.9, "slow_time_constant": "2 h",
            "fast_variance": 0.9, "fast_time_constant": "5 min", "daily_variance": 0.9,
            "noise_variance": 0.9, "shared_variance": 0.9, "quantiles": [0, 50],
        }.items()
    },
    **{
        f"{OVERLOAD}<{name}>.{key}": (adaptive(name), adaptive(name, **{key: value}))
        for name in ("interquartile_range", "median_absolute_deviation")
        for key, value in {
            "safety": 0.2, "fallback": "40 %", "samples": 12, "history": "host",
        }.items()
    },
    **{
        f"{OVERLOAD}<{name}>.{key}": (adaptive(name), adaptive(name, **{key: value}))
        for name in ("local_regression", "robust_local_regression")
        for key, value in {
            "safety": 2.0, "fallback": "40 %", "samples": 20, "samples_ahead": 4.0,
        }.items()
    },
    **{
        f"{OVERLOAD}<{name}>.history": (
            adaptive(name, safety=2.0), adaptive(name, safety=2.0, history="host"),
        )
        for name in ("local_regression", "robust_local_regression")
    },
    f"{OVERLOAD}<local_regression>.weights": (
        adaptive("local_regression", safety=2.0),
        adaptive("local_regression", safety=2.0, weights="none"),
    ),
    f"{OVERLOAD}<robust_local_regression>.iterations": (
        adaptive("robust_local_regression", iterations=1),
        adaptive("robust_local_regression", iterations=10),
    ),
    **{
        f"migration<fixed_rate>.{key}": (
            NOISY, {**NOISY, "migration": {"model": "fixed_rate", key: value}},
        )
        for key, value in {
            "bandwidth": "100 Mbit/s", "bandwidth_share": "10 %", "guest_loss": "50 %",
            "target_load": "90 %",
        }.items()
    },
    "workload.sizes[].disk": (
        moves("cold", storage="before"),
        {**moves("cold", storage="before"), "workload.sizes": SIZES},
    ),
    "network.max_migrations": (MOVES, {**MOVES, "network.max_migrations": 1}),
    "network.max_migrations_per_link": (MOVES, {**MOVES, "network.max_migrations_per_link": 1}),
    "network.migration_order": (MOVES, {**MOVES, "network.migration_order": "planned"}),
    "workload.sizes[].priority": (
        ONE_BY_ONE, {**ONE_BY_ONE, "workload.sizes": [SIZES[0], SIZES[1] | {"priority": 1}]},
    ),
    "workload.sizes[].disk_writes": (written_disks("0 Gbit/s"), written_disks("1 Gbit/s")),
    **network_turns(),
    **site_turns(),
    **move_turns(),
    **emptying_turns(),
    **constraint_turns(SIZES),
    **cluster_turns(SIZES),
    **planning_turns(),
    **management_turns(),
    **arrival_turns(),
    **application_turns(),
    **life_turns(),
    **failure_turns(),
    **reassigning_turns(),
    "network.suspend_bandwidth": (
        swapped(), {**swapped(), "network.suspend_bandwidth": "1 Gbit/s"},
    ),
    **platform_turns(),
    **vms_table_turns(),
    **snapshot_turns(),
}  # fmt: skip
TURNS |= {
    f"{OVERLOAD}<{name}>.{key}": (adaptive(name), adaptive(name, **{key: value}))
    for name in (
        "static_threshold", "interquartile_range", "median_absolute_deviation",
        "local_regression", "robust_local_regression",
    )
    for key, value in (("measure", "utilisation"), ("above_for", "20 min"))
}  # fmt: skip
TURNS |= own_models(TURNS)


def put(data: Any, dotted: str, value: object) -> None:
    *steps, last = dotted.split(".")
    for step in steps:
        below = data[int(step)] if step.isdigit() else data.get(step)
        if below is None or isinstance(below, str):
            data[step] = below = {"policy": below} if below else {}
        data = below
    if value is None:
        data.pop(last, None)
    else:
        data[int(last) if last.isdigit() else last] = value
