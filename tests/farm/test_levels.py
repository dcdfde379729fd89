"""Percentiles and peaks of a whole farm, over the time between events."""

from pathlib import Path

import pytest

import farmsim
from farmsim.models.accounts.levels_over_time import TimeWeightedValues

HOST = """\
farm:
  hosts:
    - name: h
      count: 1
      server:
        cores: 4
        clock: 2 GHz
        memory: 16 GiB
        power: {model: linear, idle: 100 W, max: 200 W}
"""
ARRIVALS = """\
name: levels
run: {duration: 4 h, report_every: %s}
workload:
  arrivals: {type: table, path: vms.csv, clock: 2 GHz}
policies: {control: none}
baseline: {type: none}
"""
VMS = """\
vm,arrival,lifetime,vcpus,memory,utilisation
all-time,0,,1,4,50
short,1800,600,3,8,100
"""


def played(folder: Path, every: str = "5 min", vms: str = VMS) -> farmsim.Result:
    (folder / "vms.csv").write_text(vms)
    (folder / "s.yaml").write_text(ARRIVALS % every + HOST)
    return farmsim.run(farmsim.Scenario.load(folder / "s.yaml"))


def test_a_vm_within_a_step_is_in_the_peaks(tmp_path: Path) -> None:
    """Ten minutes of 3.5 of 4 cores in four hours, whose steps are of one hour."""
    result = played(tmp_path)
    assert result.value("utilisation_max") == pytest.approx(3.5 / 4)
    assert result.value("peak_power_w") == pytest.approx(187.5)
    assert result.value("memory_max") == pytest.approx(12 / 16)
    # 600 s of 14,400 s are less than a twentieth.
    assert result.value("utilisation_p95") == pytest.approx(0.5 / 4)
    assert result.value("utilisation_p50") == pytest.approx(0.5 / 4)
    assert result.value("memory_p95") == pytest.approx(4 / 16)
    assert result.value("cpu_promised_p95") == pytest.approx(1 / 4)
    assert result.value("utilisation_mean") == pytest.approx((0.5 * 14400 + 3 * 600) / 4 / 14400)


def test_a_vm_that_lives_long_enough_is_in_the_percentile(tmp_path: Path) -> None:
    """721 s are more than a twentieth of four hours, though no end of a step sees them."""
    longer = played(tmp_path, vms=VMS.replace("1800,600", "1800,721"))
    assert longer.value("utilisation_p95") == pytest.approx(3.5 / 4)
    assert longer.value("memory_p95") == pytest.approx(12 / 16)
    assert longer.value("cpu_promised_p95") == pytest.approx(1.0)
    twentieth = played(tmp_path, vms=VMS.replace("1800,600", "1800,720"))
    assert twentieth.value("utilisation_p95") == pytest.approx(0.5 / 4)


@pytest.mark.parametrize("every", ["7 min", "1 h", "4 h"])
def test_peaks_do_not_depend_on_the_reporting_interval(tmp_path: Path, every: str) -> None:
    one, other = played(tmp_path), played(tmp_path, every)
    for name in ("peak_power_w", "utilisation_max", "utilisation_p95", "memory_max"):
        assert other.value(name) == one.value(name)


def test_sums_kept_up_do_not_drift(tmp_path: Path) -> None:
    """Thousands of VMs come and go within a step; the hours after are as if none had come."""
    rows = [f"v{at},{at},0.9,2,2,{10 + at % 80}" for at in range(1, 3000)]
    result = played(tmp_path, vms="\n".join([*VMS.splitlines()[:2], *rows]) + "\n")
    assert result.value("utilisation_p50") == pytest.approx(0.5 / 4, rel=1e-12)
    assert result.value("memory_p95") <= 1.0


def test_nothing_on_is_no_use_at_all(tmp_path: Path) -> None:
    """A farm that switches its host off is used to 0 %, not to what rounding leaves."""
    (tmp_path / "vms.csv").write_text(
        "vm,arrival,lifetime,vcpus,memory,utilisation\nonly,0,1801,1,4,33\n"
    )
    text = ARRIVALS.replace("control: none", "control: consolidation") % "5 min" + HOST
    (tmp_path / "s.yaml").write_text(text)
    result = farmsim.run(farmsim.Scenario.load(tmp_path / "s.yaml"))
    assert result.value("host_shutdowns") == 1
    assert result.value("utilisation_p50") == 0
    assert result.value("utilisation_max") == pytest.approx(0.33 / 4)


def test_values_of_a_spread_are_values_that_were_taken() -> None:
    spread = TimeWeightedValues()
    for value, length_s in ((0.25, 5.0), (0.75, 90.0), (0.75 + 1e-9, 4.0), (0.9, 1.0)):
        spread.add(value, length_s)
    assert spread.quantile(0.05) == 0.25
    assert spread.quantile(0.5) == 0.75 + 1e-9
    assert spread.quantile(1.0) == spread.highest == 0.9
    assert TimeWeightedValues().quantile(0.5) == TimeWeightedValues().highest == 0.0
