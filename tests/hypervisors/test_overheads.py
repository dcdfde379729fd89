"""What a hypervisor costs: the identity, hardware assistance, and that more costs more."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import farmsim
from farmsim.models.base.estimates import LEVELS, Level, exactly, figures_of
from farmsim.models.hardware.cpu_features import ASSISTS, assists_of
from farmsim.models.hardware.server import servers
from farmsim.models.hypervisor.overheads import Device, Platform, ceilings, overheads
from farmsim.models.hypervisor.profiles import (
    CpuCosts,
    Hypervisor,
    derive,
    profile,
    profiles,
    vm_overhead_mib,
)
from farmsim.models.service.request_class import (
    RequestClass,
    request_class,
    request_classes,
)
from farmsim.models.workload.vm_size import VmSize
from farmsim.scenarios.build.build import build

SERVER = servers()["dell_r740_8180"]
EVERYTHING = frozenset(ASSISTS)
SIZE = VmSize("medium", 2, 2500.0, 4096.0)
WIDE = VmSize("wide", SERVER.cores, 2500.0, 4096.0)
MODERN = ("esxi", "esxi_embedded", "kvm", "hyper_v", "xen")


@cache
def held_at(name: str, level: Level) -> Hypervisor[float]:
    return profile(name).at(level)


def platform(name: str, level: Level = "typical", **more: Any) -> Platform:
    return Platform(held_at(name, level), SERVER, EVERYTHING, **more)


def factor(
    name: str, load: RequestClass | None, level: Level = "typical",
    assists: frozenset[str] = EVERYTHING, size: VmSize = SIZE, **more: Any,
) -> float:  # fmt: skip
    held = Platform(held_at(name, level), SERVER, assists, **more)
    return held.work_factor(size, load)


# Assistance.


@pytest.mark.parametrize(
    ("cpu", "published", "flags"),
    [
        ("Intel Xeon E5440", "2007-12-11", {"vt_x"}),
        ("Intel Pentium D 930", "2011-02-23", {"vt_x"}),
        ("AMD Opteron 8384", "2008-12-04", {"vt_x", "nested_paging"}),
        ("Intel Xeon X5570", "2009-06-03", {"vt_x", "nested_paging", "io_mmu"}),
        ("Intel Xeon E5-2670", "2012-03-21", set(ASSISTS)),
        ("AMD EPYC 7742", "2020-01-21", set(ASSISTS)),
        ("something else", "2004-05-01", set()),
        ("something else", "2007-05-01", {"vt_x"}),
        ("something else", "", set(ASSISTS)),
    ],
)
def test_assistance_by_generation(cpu: str, published: str, flags: set[str]) -> None:
    assert assists_of(cpu, published) == flags


def test_a_missing_flag_stops_what_needs_it() -> None:
    with pytest.raises(ValueError, match=r"kvm needs vt_x and dell_r740_8180 lacks it.*none"):
        Platform(profile("kvm").at("typical"), SERVER, frozenset())
    with pytest.raises(ValueError, match="esxi needs io_mmu, sr_iov"):
        Platform(profile("esxi").at("typical"), SERVER, frozenset(["vt_x"]), network="passthrough")
    for name in ("bare_metal", "workstation_2003", "xen_pv_2003", "emulation"):
        Platform(profile(name).at("typical"), SERVER, frozenset())


def test_without_nested_paging_page_tables_are_shadowed() -> None:
    build, old = request_class("kernel_build"), EVERYTHING - {"nested_paging"}
    assert factor("kvm", build, assists=old) > factor("kvm", build)
    assert factor("kvm_shadow", build) == pytest.approx(factor("kvm", build, assists=old), abs=1e-3)
    # the source says that some loads are slightly faster without it
    assert factor("kvm", build, "low", assists=old) < factor("kvm", build, "low")


# The identity.


@pytest.mark.parametrize("name", ["bare_metal", "ideal"])
@pytest.mark.parametrize("level", LEVELS)
def test_identity_is_exact(name: str, level: Level) -> None:
    held = platform(name, level)
    loads = [*request_classes(level).values(), None]
    made = overheads([held], [SIZE] * len(loads), loads)
    assert np.all(made.work_factor == 1.0)
    assert np.all(made.extra_mib == 0.0)
    assert np.all(made.latency_s == 0.0)
    assert held.work_factor(WIDE, loads[0]) == 1.0
    assert held.is_wide(WIDE)
    assert (held.base_mhz, held.base_mib, held.memory_reclaim) == (0.0, 0.0, 0.0)
    device = Device(5000.0, 100.0, 1e5, 1000.0)
    assert list(ceilings(held, device)) == [5000.0, 100.0, 1e5, 1000.0]
    assert np.all(np.isinf(ceilings(held, Device())))


# More overhead never costs less.

LOADS = st.builds(
    RequestClass,
    cpu_s=st.floats(1e-4, 100),
    storage_operations=st.floats(0, 1e4),
    storage_mib=st.floats(0, 1e3),
    network_packets=st.floats(0, 1e4),
    network_mib=st.floats(0, 1e3),
    round_trips=st.floats(0, 1e3),
    exits=st.floats(0, 1e5),
    memory_share=st.floats(0, 0.3),
    mmu_share=st.floats(0, 0.4),
    vector_share=st.floats(0, 0.3),
)
FIGURES = [name for name, _, _ in figures_of(profile("kvm")) if name.split(".")[0] != "licence"]


@given(load=LOADS, name=st.sampled_from(FIGURES), by=st.floats(0, 1), wide=st.booleans())
def test_each_figure_costs_in_its_direction(
    load: RequestClass, name: str, by: float, wide: bool
) -> None:
    kvm, size = profile("kvm"), WIDE if wide else SIZE
    meaning, figure = next((m, f) for n, m, f in figures_of(kvm) if n == name)
    old = figure.typical
    new = old * (1 + by) + by if meaning.more_costs else max(old * (1 - by), 1e-3)
    new = min(new, meaning.le) if np.isfinite(new) else old
    if name.startswith("max_"):
        return
    before, after = (
        Platform(derive(kvm, **{name: value}).at("typical"), SERVER, EVERYTHING)
        for value in (old, max(new, meaning.ge))
    )
    assert after.work_factor(size, load) >= before.work_factor(size, load) >= 1.0
    assert after.added_latency_s(load) >= before.added_latency_s(load)
    assert after.base_mib >= before.base_mib
    assert after.base_mhz >= before.base_mhz
    assert after.memory_reclaim <= before.memory_reclaim
    device = Device(50_000.0, 500.0, 1e6, 10_000.0)
    assert np.all(ceilings(after, device) <= ceilings(before, device))
    extra = [vm_overhead_mib(each.hypervisor.memory, 3000.0, 3) for each in (before, after)]
    assert extra[0] <= extra[1]


@given(load=LOADS, name=st.sampled_from(sorted(profiles())))
def test_a_higher_level_never_costs_less(load: RequestClass, name: str) -> None:
    low, typical, high = (platform(name, level) for level in LEVELS)
    for size in (SIZE, WIDE):
        factors = [each.work_factor(size, load) for each in (low, typical, high)]
        assert 1.0 <= factors[0] <= factors[1] <= factors[2]
    waits = [each.added_latency_s(load) for each in (low, typical, high)]
    assert waits == sorted(waits)


@given(
    load=LOADS, more=st.sampled_from(["storage_operations", "network_mib", "exits"]),
    name=st.sampled_from(sorted(profiles())),
)  # fmt: skip
def test_more_input_and_output_never_costs_less(load: RequestClass, more: str, name: str) -> None:
    busier = replace(load, **{more: getattr(load, more) + 1})
    assert factor(name, busier) >= factor(name, load)


@given(load=LOADS)
def test_hosted_never_beats_bare_metal_hypervisor_on_the_same_path(load: RequestClass) -> None:
    for level in LEVELS:
        for path in ("paravirtual", "emulated"):
            for direct in MODERN:
                hosted = factor("workstation", load, level, storage=path, network=path)
                assert hosted >= factor(direct, load, level, storage=path, network=path)


@given(device=st.floats(1, 1e7), more=st.floats(1, 10))
def test_a_faster_device_never_lowers_the_ceiling(device: float, more: float) -> None:
    for name in profiles():
        slow = ceilings(platform(name), Device(device, device, device, device))
        fast = ceilings(platform(name), Device(*[device * more] * 4))
        assert np.all(slow <= fast)
        assert np.all(slow <= device)


def test_ceilings_bite_on_fast_devices_only() -> None:
    fast, slow = Device(storage_ops=84_044.0), Device(storage_ops=200.0)
    assert ceilings(platform("kvm"), fast)[0] == pytest.approx(42_022)
    assert ceilings(platform("kvm"), slow)[0] == pytest.approx(190)


def test_hand_computed_factor() -> None:
    cpu = CpuCosts(plain=exactly(0.8), mmu=exactly(0.5), exit_cycles=exactly(1000.0))
    made = Hypervisor(name="hand", kind="type1", uses=("nested_paging",), cpu=cpu)
    held = Platform(made.at("typical"), SERVER, EVERYTHING)
    load = RequestClass(cpu_s=0.001, reference_mhz=2000.0, exits=100.0, mmu_share=0.25)
    # 0.75 / 0.8 + 0.25 / 0.5 + 100 * 1000 / 2,000,000
    assert held.work_factor(SIZE, load) == pytest.approx(0.9375 + 0.5 + 0.05)
    assert held.work_factor(SIZE, None) == pytest.approx(1.25)


def test_sizes_that_a_hypervisor_does_not_allow() -> None:
    assert platform("esxi").fits(WIDE)
    assert not platform("workstation_2003").fits(SIZE)
    assert platform("bare_metal").fits(replace(WIDE, memory_mib=1e9))


# Crowding.


def test_a_switch_every_time_slice_adds_to_cold_caches() -> None:
    """4812 cycles in 30 ms are below 0.01 %; bare metal does not switch."""
    cpu = {"contention_loss": 0.05, "switch_cycles": 4812, "time_slice_ms": 30}
    held = derive(profile("kvm"), cpu=cpu).at("typical")
    expected = 0.05 + 4812 / (0.030 * SERVER.core_mhz * 1e6)
    found = Platform(held, SERVER, EVERYTHING).contention_loss
    assert found == pytest.approx(expected, rel=1e-12)
    assert platform("bare_metal").contention_loss == 0.0


def test_data_of_a_request_becomes_megabits() -> None:
    """1 MiB is 8 x 1,048,576 bits, that is 8.388608 Mbit."""
    load = RequestClass(
        cpu_s=0.5, reference_mhz=2000.0, network_mib=1.0, storage_mib=3.0,
        storage_operations=5.0, network_packets=7.0,
    )  # fmt: skip
    assert (load.operations_per_mhz_s() * 1000).tolist() == pytest.approx([5.0, 3.0, 7.0, 8.388608])


@pytest.mark.parametrize(
    ("consumed", "swapped_gib", "needed_gib"),
    [
        # Four VMs of 8 GiB on 16 GiB; a quarter of what is promised is given back.
        (("", "", "", ""), 32 - 16 - 0.25 * 32, 32),
        (("4096",) * 4, 0, 16),
        (("6144",) * 4, 24 - 16, 24),
        # Two are known: 12 GiB in use, and 16 promised of which a quarter comes back.
        (("6144", "6144", "", ""), 28 - 16 - 0.25 * 16, 28),
        (("9999", "8192", "8192", "8192"), 32 - 16, 32),
    ],
)
def test_memory_in_use_decides_what_is_swapped(
    consumed: tuple[str, ...], swapped_gib: float, needed_gib: float, tmp_path: Path
) -> None:
    rows = [f"v{at},1,1000,8192,{each}" for at, each in enumerate(consumed)]
    header = "vm,vcpus,clock_mhz,memory_mib,memory_consumed_mib"
    (tmp_path / "vms.csv").write_text("\n".join([header, *rows]) + "\n")
    bare = {
        "hypervisor_mib": 0, "control_partition_mib": 0, "vm_mib": 0, "vm_mib_per_gib": 0,
        "vm_mib_per_vcpu": 0, "sharing_share": 0.0, "ballooning_share": 0.25, "swap_slowdown": 5,
    }  # fmt: skip
    cpu = {"plain": 1.0, "contention_loss": 0.0, "coscheduling_loss": 0.0}
    scenario = farmsim.Scenario.of(
        {
            "name": "used",
            "run": {"duration": "1 h"},
            "farm": {"hosts": [{
                "name": "h", "count": 1, "memory_overcommit": 3,
                "hypervisor": {"based_on": "kvm", "change": {"memory": bare, "cpu": cpu}},
                "server": {"cores": 16, "clock": "1 GHz", "memory": "16 GiB",
                           "power": {"model": "linear", "idle": "100 W", "max": "200 W"}},
                "assists": ["vt_x", "nested_paging"],
            }]},
            "workload": {
                "vms_file": "vms.csv", "source": {"type": "constant", "utilisation": "10 %"},
            },
            "policies": {"initial": {"cpu_overcommit": 4}},
            "baseline": {"type": "none"},
        },
        tmp_path,
    )  # fmt: skip
    outcome = build(scenario).engine.run()
    effort = 1 + (5 - 1) * swapped_gib / needed_gib
    assert outcome.farm.delivery.effort == pytest.approx([effort] * 4)
