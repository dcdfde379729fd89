"""Lower bounds on hosts and energy where VMs come and go within a step of the workload."""

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import farmsim

STEP_S = 3600
CORES, MEMORY_GIB, IDLE_W, MAX_W = 4, 16, 100.0, 200.0
SCENARIO = f"""\
name: bounds
run: {{duration: 3 h}}
farm:
  hosts:
    - name: h
      count: 6
      hypervisor: ideal
      off_power: 0 W
      sleep: []
      server:
        cores: {CORES}
        clock: 2 GHz
        memory: {MEMORY_GIB} GiB
        power: {{model: linear, idle: {IDLE_W:g} W, max: {MAX_W:g} W}}
workload:
  arrivals: {{type: table, path: vms.csv, clock: 2 GHz}}
policies: {{control: CONTROL}}
baseline: {{type: none}}
"""
Vm = tuple[int, int, int, int, int]
"""Arrival and lifetime in s, vCPUs, GiB of memory, percent of the vCPUs in use."""


def played(folder: Path, vms: list[Vm], control: str = "consolidation") -> farmsim.Result:
    rows = [f"v{at}," + ",".join(map(str, vm)) for at, vm in enumerate(vms)]
    header = "vm,arrival,lifetime,vcpus,memory,utilisation"
    (folder / "vms.csv").write_text("\n".join([header, *rows]) + "\n")
    (folder / "s.yaml").write_text(SCENARIO.replace("CONTROL", control))
    return farmsim.run(farmsim.Scenario.load(folder / "s.yaml"))


def test_one_host_is_needed_while_a_vm_runs(tmp_path: Path) -> None:
    """A VM of ten minutes from every quarter past on is never there for a whole step."""
    vms = [(900 + hour * STEP_S, 600, 1, 1, 10) for hour in range(3)]
    result = played(tmp_path, vms)
    assert result.value("hosts_bound_mean") == pytest.approx(1 / 6)
    watts = IDLE_W + (MAX_W - IDLE_W) * 0.1 / CORES
    assert result.value("energy_bound_kwh") == pytest.approx(watts * 1800 / 3.6e6)


def test_a_host_that_is_nearly_always_occupied_is_near_the_minimum(tmp_path: Path) -> None:
    """VMs of 595 s every 10 min: the farm keeps one host on, and one is what it takes."""
    vms = [(start, 595, 2, 4, 50) for start in range(0, 3 * STEP_S, 600)]
    result = played(tmp_path, vms)
    assert result.value("hosts_bound_mean") == pytest.approx(595 / 600)
    assert 0 <= result.value("gap_hosts") < 1.5


def test_memory_that_comes_and_goes_counts(tmp_path: Path) -> None:
    """Six VMs of half the memory of a host, each for half an hour: three hosts for that time."""
    result = played(tmp_path, [(600, 1800, 1, 8, 5)] * 6)
    assert result.value("hosts_bound_mean") == pytest.approx(3 * 1800 / (3 * STEP_S))


@cache
def fewest(vms: tuple[tuple[float, int], ...]) -> int:
    """Return the fewest hosts for some shares of CPU in use and GiB, by trying everything."""
    best = len(vms)

    def put(at: int, bins: list[list[float]]) -> None:
        nonlocal best
        if len(bins) >= best and at < len(vms):
            return
        if at == len(vms):
            best = min(best, len(bins))
            return
        cpu, memory = vms[at]
        for room in bins:
            if room[0] >= cpu - 1e-9 and room[1] >= memory:
                room[0], room[1] = room[0] - cpu, room[1] - memory
                put(at + 1, bins)
                room[0], room[1] = room[0] + cpu, room[1] + memory
        put(at + 1, [*bins, [1.0 - cpu, float(MEMORY_GIB - memory)]])

    put(0, [])
    return best


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    vms=st.lists(
        st.tuples(
            st.integers(0, 10000),
            st.integers(60, 9000),
            st.integers(1, 4),
            st.integers(1, 12),
            st.sampled_from([5, 50, 100]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_bounds_are_never_above_the_best_packing(vms: list[Vm], tmp_path: Path) -> None:
    """Step by step against the fewest hosts at each instant, and the power of filling these."""
    vms = sorted(vms)
    result = played(tmp_path, vms, "none")
    assert result.value("unserved_share") == pytest.approx(0.0, abs=1e-12)
    lives = [(row["started_h"] * 3600, row["ended_h"]) for row in result.tables["vms"].to_pylist()]
    spans = [(a, 3.0 * STEP_S if b is None else b * 3600) for a, b in lives]
    cuts = np.unique([0.0, *np.arange(1, 4) * STEP_S, *(t for span in spans for t in span)])
    hosts_s, energy_j = np.zeros(3), np.zeros(3)
    for begin, end in pairwise(cuts.tolist()):
        there = [
            (vm[2] * vm[4] / 100 / CORES, vm[3])
            for vm, (a, b) in zip(vms, spans, strict=True)
            if a <= begin + 1e-6 and b >= end - 1e-6
        ]
        step, hosts = int((begin + 1e-6) // STEP_S), fewest(tuple(sorted(there, reverse=True)))
        used = sum(cpu for cpu, _ in there)
        hosts_s[step] += hosts * (end - begin)
        energy_j[step] += (hosts * IDLE_W + (MAX_W - IDLE_W) * used) * (end - begin)
    bounds = result.tables["bounds"]
    assert np.all(bounds["hosts_bound"].to_numpy() * STEP_S <= hosts_s + 1e-3)
    assert np.all(bounds["power_bound_w"].to_numpy() * STEP_S <= energy_j + 1e-1)
