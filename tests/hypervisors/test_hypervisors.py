"""Hypervisor profiles: that the calibration is loaded and that mistakes are named.

Reproducing measured ratios shows that the figures were loaded, not that the model is right.
"""

import json
from dataclasses import fields, replace
from typing import Any, cast

import pytest

from farmsim.models.base.catalogue import data_file
from farmsim.models.base.estimates import CONFIDENCE, LEVELS, Level, Ranged, figures_of
from farmsim.models.hardware.cpu_features import ASSISTS, checked_assists
from farmsim.models.hardware.server import servers
from farmsim.models.hypervisor.overheads import Platform
from farmsim.models.hypervisor.profiles import (
    KINDS,
    derive,
    profile,
    profiles,
    sources,
    vm_overhead_mib,
)
from farmsim.models.service.request_class import (
    KINDS_OF_IO,
    RequestClass,
    request_class,
    request_class_ranges,
    request_classes,
)
from farmsim.models.workload.vm_size import VmSize

SERVER = servers()["dell_r740_8180"]
EVERYTHING = frozenset(ASSISTS)
SIZE = VmSize("medium", 2, 2500.0, 4096.0)
WIDE = VmSize("wide", SERVER.cores, 2500.0, 4096.0)
MODERN = ("esxi", "esxi_embedded", "kvm", "hyper_v", "xen")


def platform(name: str, level: Level = "typical", **more: Any) -> Platform:
    return Platform(profile(name).at(level), SERVER, EVERYTHING, **more)


def factor(
    name: str, load: RequestClass | None, level: Level = "typical",
    assists: frozenset[str] = EVERYTHING, size: VmSize = SIZE, **more: Any,
) -> float:  # fmt: skip
    held = Platform(profile(name).at(level), SERVER, assists, **more)
    return held.work_factor(size, load)


# Calibration: loaded, not proven.


def test_felter_ratios() -> None:
    cpu, kvm = profile("kvm").cpu, profile("kvm")
    storage, network = kvm.storage_path("paravirtual"), kvm.network_path("paravirtual")
    for measured, figure in {
        284.2 / 290.8: cpu.plain, 45.02 / 45.60: cpu.memory, 0.0125 / 0.0126: cpu.mmu,
        42543 / 84044: storage.operations_ratio, 56160 / 112034: storage.operations_ratio,
        9294 / 9348: network.throughput_ratio,
    }.items():  # fmt: skip
        assert figure.typical == pytest.approx(measured, abs=0.03)
        assert figure.low <= measured + 0.003
        assert figure.high >= measured - 0.003
    assert cpu.vector.typical == pytest.approx(0.977, abs=0.03)
    assert cpu.vector.low == pytest.approx(0.448, abs=0.03)
    assert 37.6 + network.latency_us.typical == pytest.approx(67.9, abs=5)
    assert 0.989 / (1 + cpu.numa_penalty.high) == pytest.approx(0.0259 / 0.0292, abs=0.003)


def test_firecracker_raw_data() -> None:
    path = profile("kvm").storage_path("paravirtual")
    for native, guest in ((301, 135), (178, 37)):
        assert path.operations_ratio.low - 0.005 <= guest / native <= path.operations_ratio.high
    for native_us, guest_us in ((60.7, 133.1), (98.8, 166.9)):
        assert native_us + path.latency_us.typical == pytest.approx(guest_us, abs=5)
    assert path.throughput_ratio.high == pytest.approx(1.02)


@pytest.mark.parametrize("level", LEVELS)
def test_esxi_memory_overhead_table(level: Level) -> None:
    costs = profile("esxi").at(level).memory
    cells = {
        (256, 1): 20.29, (256, 2): 24.28, (256, 4): 32.23, (256, 8): 48.16,
        (1024, 1): 25.9, (1024, 2): 29.91, (1024, 4): 37.86, (1024, 8): 53.82,
        (4096, 1): 48.64, (4096, 2): 52.72, (4096, 4): 60.67, (4096, 8): 76.78,
        (16384, 1): 139.62, (16384, 2): 143.98, (16384, 4): 151.93, (16384, 8): 168.6,
    }  # fmt: skip
    fit = replace(costs, vm_table=())
    for (memory_mib, vcpus), published_mib in cells.items():
        assert vm_overhead_mib(costs, memory_mib, vcpus) == published_mib
        assert vm_overhead_mib(fit, memory_mib, vcpus) == pytest.approx(published_mib, rel=0.03)
    assert vm_overhead_mib(costs, 2048, 3) == pytest.approx(18.6 + 7.38 * 2 + 4.02 * 2)


def test_esx_classic_memory_overhead() -> None:
    costs = profile("esx_classic").at("typical").memory
    assert vm_overhead_mib(costs, 262144, 1) == 3714.99
    assert vm_overhead_mib(costs, 1024, 8) == 445.52
    assert vm_overhead_mib(replace(costs, vm_table=()), 65536, 1) == pytest.approx(
        1011.21, rel=1e-3
    )
    assert costs.control_partition_mib == 272


def test_kernel_build_of_the_xen_paper() -> None:
    build = request_class("kernel_build")
    assert 1 / factor("workstation_2003", build) == pytest.approx(0.79, abs=0.03)
    assert 1 / factor("xen_pv_2003", build) == pytest.approx(0.97, abs=0.03)


# The catalogue.


def test_profiles_are_complete() -> None:
    assert set(sources()) >= {
        figure.source for each in profiles().values() for _, _, figure in figures_of(each)
    }
    assert {each.kind for each in profiles().values()} == set(KINDS)
    for name, each in profiles().items():
        assert each.name == name
        assert each.title
        for dotted, _, figure in figures_of(each):
            assert isinstance(figure, Ranged), dotted
            assert figure.confidence in CONFIDENCE


def test_request_classes_are_complete() -> None:
    wanted = {each.name for each in fields(RequestClass)} - {"reference_mhz"}
    for name, ranges in request_class_ranges().items():
        assert set(ranges) == wanted, name
        assert {each.confidence for each in ranges.values()} == {"E"}
    assert request_class("web").operations_per_mhz_s().shape == (len(KINDS_OF_IO),)
    assert json.loads(data_file("request_classes.json").read_text("utf-8"))["confidence"] == "E"


def test_levels_take_the_bound_that_costs_least_and_most() -> None:
    low, high = (profile("kvm").at(level) for level in ("low", "high"))
    assert (low.cpu.plain, high.cpu.plain) == (1.0, 0.93)
    assert (low.cpu.exit_cycles, high.cpu.exit_cycles) == (761, 1650)
    assert low.memory.ballooning_share > high.memory.ballooning_share
    assert low.storage_path().latency_us < high.storage_path().latency_us


def test_derived_profiles() -> None:
    esxi = profile("esxi")
    mine = derive(esxi, "mine", cpu={"plain": 0.9}, **{"storage.paravirtual.latency_us": 50})
    assert mine.name == "mine"
    assert mine.cpu.plain == Ranged(0.9, 0.9, 0.9, "given", "given")
    assert mine.cpu.mmu == esxi.cpu.mmu
    assert mine.storage_path("paravirtual").latency_us.typical == 50
    assert mine.storage_path("emulated") == esxi.storage_path("emulated")
    assert esxi.cpu.plain.typical == 0.98
    measured = derive(esxi, cpu={"plain": {"low": 0.9, "typical": 0.95, "high": 0.97}})
    assert measured.at("high").cpu.plain == 0.9
    # the exact cells were those of other software
    assert derive(esxi, memory={"vm_mib": 5.0}).memory.vm_table == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cpu": {"plian": 1}}, r"mine\.cpu: there is no field 'plian'; did you mean plain\?"),
        ({"cpu.plain": 1.5}, r"mine\.cpu\.plain: 1\.5 is out of bounds; .* at most 1"),
        ({"cpu.plain": 0}, r"must be above 0"),
        ({"cpu.plain": float("nan")}, r"mine\.cpu\.plain: low nan"),
        ({"cpu.exit_cycles": -1}, r"at least 0"),
        ({"cpu": 3}, r"mine\.cpu: 3 is not a mapping"),
        ({"cpu.plain.typical": {"low": 1}}, r"mine\.cpu\.plain"),
        ({"memory.vm_mib": {"low": 3, "typical": 1}}, r"not in ascending order"),
        ({"memory.vm_mib": {"low": 3}}, r"mine\.memory\.vm_mib: typical is missing"),
        ({"memory.vm_mib": {"typical": 3, "confidence": "X"}}, r"no confidence mark 'X'"),
        ({"storage": {"passthru": {}}}, r"did you mean passthrough\?"),
        ({"storage": {"paravirtual": None}}, r"no storage path of mine 'paravirtual'; known: "),
        ({"needs": ["vtx"]}, r"no assistance flag 'vtx'; did you mean vt_x\?"),
        ({"licence": {"metric": "per_seat"}}, r"no licence metric 'per_seat'"),
        ({"live_migration": 1}, r"mine\.live_migration: 1 is not a bool"),
        ({"kind": "type3"}, r"no kind of hypervisor 'type3'"),
        ({"allows_host_applications": True}, r"type1 and has no host operating system"),
    ],
)
def test_what_does_not_exist_or_fit_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        derive(profile("esxi"), "mine", **changes)


def test_unknown_names_list_what_exists() -> None:
    with pytest.raises(ValueError, match=r"no hypervisor 'vmm'; .*known: bare_metal, "):
        profile("vmm")
    with pytest.raises(ValueError, match=r"no request class 'wbe'; did you mean web\?"):
        request_class("wbe")
    with pytest.raises(ValueError, match=r"no level 'worst'; .*known: low, typical, high"):
        profile("kvm").at(cast("Level", "worst"))
    with pytest.raises(ValueError, match=r"no level 'worst'"):
        request_classes(cast("Level", "worst"))
    with pytest.raises(ValueError, match=r"no assistance flag 'ept'; .*known: vt_x"):
        checked_assists(["ept"])
    with pytest.raises(ValueError, match=r"no storage path of virtualbox 'passthrough'"):
        platform("virtualbox", storage="passthrough")
    with pytest.raises(ValueError, match="exceed 1 together"):
        RequestClass(cpu_s=1.0, mmu_share=0.7, vector_share=0.7)
