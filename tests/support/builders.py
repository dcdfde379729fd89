"""Small farms for tests."""

import math
from collections.abc import Sequence

import networkx as nx
import numpy as np

from farmsim.models.base.arrays import Floats, Ints
from farmsim.models.farm.farm import Farm
from farmsim.models.farm.farm_state import ViolationRule
from farmsim.models.hardware.power_curves import Linear, PowerBank, PowerModel
from farmsim.models.migration.fixed_rate import FixedRate, MigrationModel
from farmsim.models.migration.model_table import MigrationModels
from farmsim.models.network.network import Network
from farmsim.models.rules.reserve import Reserve
from farmsim.models.rules.rules import Rules
from farmsim.models.service.response_time import Sojourn, weibull
from farmsim.models.state.columns import Hosts, Vms
from farmsim.models.workload.demand import Demand, TraceSeries
from farmsim.policies.control.control import ControlPolicy, NoControl
from farmsim.policies.control.power_management import PowerManagement
from farmsim.policies.placement.placement import Placement
from farmsim.policies.placement_algorithms.first_fit import FirstFit
from farmsim.scenarios.language.names import Numbered
from farmsim.sim.base.random_streams import Streams
from farmsim.sim.engine import Engine
from farmsim.sim.outcome import Outcome
from farmsim.sim.setup import EngineSetup, InitialPlacementSetup, Timing

IDLE_W, FULL_W = 100.0, 200.0


def make_hosts(
    cpu_mhz: Sequence[float],
    memory_mib: float = 16384.0,
    power: Sequence[PowerModel] | None = None,
    group: Sequence[int] | None = None,
    core_mhz: float | None = None,
    boot_s: float = 0.0,
    stop_s: float = 0.0,
    off_w: float = 0.0,
) -> Hosts:
    count = len(cpu_mhz)
    capacity = np.array(cpu_mhz, np.float64)
    groups = np.zeros(count, np.int64) if group is None else np.array(group)
    models = [Linear(IDLE_W, FULL_W)] if power is None else list(power)
    return Hosts(
        cpu_mhz=capacity,
        core_mhz=capacity.copy() if core_mhz is None else np.full(count, core_mhz),
        memory_mib=np.full(count, memory_mib),
        group=groups,
        power=PowerBank(models, groups),
        off_w=np.full(count, off_w),
        boot_s=np.full(count, boot_s),
        boot_w=np.full(count, FULL_W),
        stop_s=np.full(count, stop_s),
        stop_w=np.full(count, IDLE_W),
        names=Numbered("host", count),
        group_names=[f"group-{index}" for index in range(int(groups.max()) + 1)],
        server_names=[f"server-{index}" for index in range(int(groups.max()) + 1)],
    )


def make_vms(
    size_mhz: Sequence[float], memory_mib: float | Sequence[float] = 1024.0, vcpus: int = 1
) -> Vms:
    count = len(size_mhz)
    return Vms(
        vcpus=np.full(count, vcpus),
        size_mhz=np.array(size_mhz, np.float64),
        memory_mib=np.broadcast_to(np.array(memory_mib, np.float64), (count,)).copy(),
        names=Numbered("vm", count),
        size_names=["only"],
        size=np.zeros(count, np.int64),
        disk_mib=np.zeros(count),
        disk_write_mbps=np.zeros(count),
        priority=np.zeros(count, np.int64),
    )


def make_farm(hosts: Hosts, vms: Vms, incoming_counts_as_violation: bool = False) -> Farm:
    return Farm(hosts, vms, ViolationRule(incoming_counts_as_violation))


def make_engine(
    farm: Farm,
    shares: Floats,
    control: ControlPolicy | None = None,
    placement: Placement | None = None,
    migration: MigrationModel | None = None,
    step_s: float = 300.0,
    end_s: float | None = None,
    control_s: float | None = None,
    report_s: float | None = None,
    seed: int = 1,
    by_size: bool = True,
    overcommit: float = 1.0,
    reject: bool = False,
    on_end: str = "hold",
    rules: Rules | None = None,
    power: PowerManagement | None = None,
    reserve: Reserve | None = None,
) -> Engine:
    """Engine for a farm whose VMs follow ``shares`` (slots, VMs) of their sizes."""
    series = TraceSeries(shares, 1.0, step_s, on_end)  # type: ignore[arg-type]
    end_s = len(shares) * step_s if end_s is None else end_s
    setup = EngineSetup(
        InitialPlacementSetup(placement or FirstFit(), "test", by_size, overcommit, reject),
        control or NoControl(),
        "test",
        MigrationModels.only(
            migration or FixedRate(), len(farm.vms.size_names), len(farm.hosts.group_names)
        ),
        Timing(end_s, control_s or step_s, report_s or step_s),
        rules=rules,
        reserve=() if reserve is None else (reserve,),
        power=power or PowerManagement(),
    )
    return Engine(farm, Demand(series, farm.vms.size_mhz), setup, Streams(seed))


def peak_on(outcome: Outcome) -> int:
    """Most hosts that were awake at once."""
    hosts = outcome.tables["awake"]["hosts"].reshape(-1, len(outcome.farm.hosts.group_names))
    return int(hosts.sum(axis=1).max())


def energy_j(outcome: Outcome) -> float:
    return float(outcome.farm.accounts.totals[0].sum())


def rows(*numbers: int) -> Ints:
    return np.array(numbers, np.int64)


def two_hosts(capacity_mbps: float, latency_s: float, full_duplex: bool = False) -> Network:
    """Return two hosts with one line between them, which both directions share by default.

    So SimGrid's links are by default, and its figures for two hosts assume.
    """
    graph: nx.Graph[str] = nx.Graph()
    graph.add_edge(
        "host-0", "host-1", capacity_mbps=capacity_mbps, latency_s=latency_s,
        full_duplex=full_duplex,
    )  # fmt: skip
    return Network.from_graph(graph, ["host-0", "host-1"])


def quantile_of(sojourn: Sojourn, q: float) -> Floats:
    """Return the ``q`` quantile in s of a time with this mean and scv, by a Weibull fit."""
    shape, scale_s = weibull(sojourn.mean_s, sojourn.scv)
    time_s: Floats = scale_s * (-math.log1p(-q)) ** (1.0 / shape)
    return time_s


BITBRAINS_HEADER = ";\t".join(
    [
        "Timestamp [ms]", "CPU cores", "CPU capacity provisioned [MHZ]", "CPU usage [MHZ]",
        "CPU usage [%]", "Memory capacity provisioned [KB]", "Memory usage [KB]",
        "Disk read throughput [KB/s]", "Disk write throughput [KB/s]",
        "Network received throughput [KB/s]", "Network transmitted throughput [KB/s]",
    ]
)  # fmt: skip


def bitbrains_file(
    start_s: int, usage_mhz: Sequence[float | None], cores: int = 2, capacity: float = 5852.0
) -> str:
    rows = [
        f"{start_s + 300 * slot};\t{cores};\t{capacity};\t{mhz};\t{mhz / capacity * 100};"
        "\t8388608.0;\t1308620.0;\t0.0;\t1.0;\t11.0;\t27.2"
        for slot, mhz in enumerate(usage_mhz)
        if mhz is not None
    ]
    return "\n".join([BITBRAINS_HEADER, *rows]) + "\n"
