"""The claims: each scenario has the direction that its page states, and so has what fails it."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import farmsim
from farmsim import Comparison

PAGES = Path(__file__).parent.parent / "docs" / "claims"


@cache
def compared(name: str, *overrides: str, band: bool = False) -> Comparison:
    """Compare the variants of a claim's scenario over 3 hours, or as ``overrides`` say."""
    shorter = ("run.duration=3 h", *overrides)
    return farmsim.compare(f"library/claim-{name}", overrides=shorter, band=band)


def value(comparison: Comparison, metric: str, variant: str, level: str = "typical") -> float:
    """Return a figure of a variant."""
    found: float = comparison.result(variant, level).value(metric)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_tables_of_the_page_are_what_its_commands_give(page: Path) -> None:
    done = subprocess.run(
        [sys.executable, PAGES.parent / "claims.py", "--check", page.stem.split("-")[0]],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"run python docs/claims.py\n{done.stdout}{done.stderr}"


LEVELS = ("low", "typical", "high")


@pytest.mark.parametrize("level", LEVELS)
def test_claim_1_hosted_costs_more_energy_and_time(level: str) -> None:
    ran = compared("1-hosted", "run.duration=1 h", band=True)
    for metric in ("energy_per_work", "response_mean_ms", "response_p99_ms", "layer_share"):
        assert value(ran, metric, "hosted", level) > value(ran, metric, "type1", level)
    apps, alone = (value(ran, "energy_kwh", name, level) for name in ("hosted_apps", "hosted"))
    assert apps > alone


def test_claim_1_a_full_hosted_host_does_less() -> None:
    full = ("run.duration=1 h", "workload.vms=250", "farm.hosts.0.count=1")
    ran = compared("1-hosted", *full, band=True)
    for level in LEVELS:
        names = ("hosted_apps", "hosted", "type1")
        done = [value(ran, "work_ghz_h", name, level) for name in names]
        assert done == sorted(done)
        assert done[1] < done[2]


def test_claim_1_fails_for_a_setting_and_for_money() -> None:
    vector = "workload.sizes.0.class={cpu: 100 ms, vector_share: 80 %}"
    ran = compared("1-hosted", "run.duration=1 h", vector)
    for metric in ("energy_per_work", "response_mean_ms"):
        assert value(ran, metric, "type1_no_vector") > 1.1 * value(ran, metric, "hosted")
    web = compared("1-hosted", "run.duration=1 h", band=True)
    lean, emulated = (
        value(web, "energy_per_work", name) for name in ("hosted_lean", "type1_emulated_io")
    )
    assert lean == pytest.approx(emulated, rel=0.01)
    assert value(web, "total_cost", "type1_licensed") > value(web, "total_cost", "hosted")


@pytest.mark.parametrize("load", ["kernel_build", "cpu_bound", "web"])
def test_claim_2_the_first_vt_x_lost_to_translation(load: str) -> None:
    chosen = f"workload.sizes.0.class={load}"
    ran = compared("2-assistance", "run.duration=1 h", chosen, band=True)
    for level in LEVELS:
        for metric in ("energy_per_work", "response_mean_ms"):
            first = value(ran, metric, "first_vt_x", level)
            assert first > value(ran, metric, "translation", level)
    later, translated = (value(ran, "energy_kwh", name) for name in ("kvm_shadow", "translation"))
    assert later < translated
    assert value(ran, "response_mean_ms", "xen_pv") < value(ran, "response_mean_ms", "kvm_shadow")


def test_claim_2_assistance_helps_but_nested_paging_may_lose() -> None:
    ran = compared("2-paths", "run.duration=1 h", band=True)
    for metric in ("energy_per_work", "response_mean_ms"):
        passed, para, emulated, shadow = (
            {level: value(ran, metric, name, level) for level in LEVELS}
            for name in ("passthrough", "paravirtual", "emulated", "shadow")
        )
        assert all(passed[level] < para[level] < emulated[level] for level in LEVELS)
        assert shadow["typical"] > para["typical"]
        assert shadow["low"] < para["low"]
    together = value(ran, "energy_per_work", "paravirtual_moving")
    assert together < 0.9 * value(ran, "energy_per_work", "passthrough")


def test_claim_2_a_fast_device_shows_the_path_and_a_slow_one_hides_it() -> None:
    stores = "workload.sizes.0.class={cpu: 2 ms, storage_operations: 20, storage_data: 80 KiB}"
    fast = compared("2-paths", "run.duration=1 h", stores, "farm.hosts.0.storage_iops=84000")
    slow = compared(
        "2-paths", "run.duration=1 h", "workload.sizes.0.class=oltp",
        "farm.hosts.0.storage_iops=4500",
    )  # fmt: skip
    names = ("emulated", "paravirtual", "passthrough")
    order = [value(fast, "work_ghz_h", name) for name in names]
    assert order == sorted(order)
    assert order[0] < 0.7 * order[2]
    level = [value(slow, "work_ghz_h", name) for name in names]
    assert min(level) == pytest.approx(max(level), rel=0.03)


@pytest.mark.parametrize(
    ("memory", "console_holds_more"), [("72 GiB", False), ("24 GiB", False), ("8 GiB", True)]
)
def test_claim_3_the_console_costs_vms_only_on_large_hosts(
    memory: str, console_holds_more: bool
) -> None:
    ran = compared("3-embedded", "run.duration=10 min", f"farm.hosts.0.memory={memory}")
    names = ("embedded", "on_disk", "with_console", "classic")
    held = {name: value(ran, "consolidation_ratio", name) for name in names}
    assert held["embedded"] == held["on_disk"]
    assert 0 <= held["on_disk"] - held["with_console"] <= 1
    assert (held["classic"] > held["embedded"]) is console_holds_more


def test_claim_3_two_minutes_of_boot_are_next_to_nothing() -> None:
    ran = compared("3-boot", "run.duration=10 h")
    energy = {name: value(ran, "energy_kwh", name) for name in ran.variants}
    assert energy["at_once"] < energy["embedded"] < energy["on_disk"] < energy["slow"]
    assert energy["on_disk"] < 1.02 * energy["embedded"]
    short = {name: value(ran, "unserved_share", name) for name in ran.variants}
    assert short["slow"] > 2 * short["embedded"]
    awake = compared("3-boot", "run.duration=1 h", "policies.control=none")
    assert value(awake, "energy_kwh", "slow") == value(awake, "energy_kwh", "embedded")
