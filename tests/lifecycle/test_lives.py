"""Figures of VMs that come, move and leave within a step: integrals over the time they lived."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim import Result, run
from farmsim.models.workload.demand import SteadySeries
from farmsim.scenarios.build import workload as build_workload

HOUR_S = 3600.0
WEB_MHZ_S = 13.0
SERVER = {
    "cores": 10, "clock": "1 GHz", "memory": "100 GiB", "sockets": 1,
    "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
}  # fmt: skip


def living(folder: Path, lines: list[str], **parts: Any) -> dict[str, Any]:
    """Return a scenario of VMs that come and go as a table says; the step is an hour."""
    (folder / "vms.csv").write_text("\n".join(lines) + "\n")
    arrivals = {"type": "table", "path": str(folder / "vms.csv"), "clock": "1 GHz"}
    made: dict[str, Any] = {
        "name": "lives",
        "run": {"duration": "3 h"},
        "farm": {"hosts": [{"name": "h", "server": SERVER, "count": 1}]},
        "workload": {"arrivals": arrivals},
        "baseline": {"type": "none"},
    }
    arrivals.update(parts.pop("arrivals", {}))
    for name, part in parts.items():
        made[name] = made.get(name, {}) | part if isinstance(part, dict) else part
    return made


def column(result: Result, table: str, key: str, name: str) -> dict[str, Any]:
    rows = result.table(table)
    return dict(zip(rows[key].to_pylist(), rows[name].to_pylist(), strict=True))


def test_a_tenant_whose_vms_are_gone_at_each_full_hour_pays_its_part(tmp_path: Path) -> None:
    """``day`` uses 1 GHz from 10 s to 3010 s of every hour, ``edge`` across the full hour."""
    lines = ["arrival,lifetime,vcpus,memory,utilisation,tenant"]
    for hour in range(4):
        lines.append(f"{hour * 3600 + 10},3000,2,4,50,day")
        lines.append(f"{hour * 3600 + 3300},600,2,4,50,edge")
    tenants = [{"name": "day"}, {"name": "edge"}]
    result = run(living(tmp_path, lines, run={"duration": "4 h"}, tenants=tenants))
    energy = column(result, "tenants", "tenant", "energy_kwh")
    # Together from hour + 10 s to hour + 300 s on every later hour: half of the idle power each.
    alone_s = {"day": 3000 + 3 * (3000 - 290), "edge": 300 + 3 * (600 - 290)}
    for tenant, used_s in (("day", 4 * 3000), ("edge", 3 * 600 + 300)):
        expected_j = 10 * used_s + 100 * alone_s[tenant] + 50 * 3 * 290
        assert energy[tenant] == pytest.approx(expected_j / 3.6e6, rel=1e-9)
    assert sum(energy.values()) == pytest.approx(result.value("energy_kwh"), rel=1e-9)
    cost = column(result, "tenants", "tenant", "cost")
    assert sum(cost.values()) == pytest.approx(result.value("total_cost"), rel=1e-9)
    assert cost["day"] / cost["edge"] == pytest.approx(energy["day"] / energy["edge"])
    used = column(result, "tenants", "tenant", "requested_ghz_h")
    assert used["day"] == pytest.approx(4 * 3000 / HOUR_S)


def test_requests_come_for_as_long_as_a_vm_lives(tmp_path: Path) -> None:
    lines = ["arrival,lifetime,vcpus,memory,utilisation", "0,3650,2,4,50", "100,60,2,4,50"]
    lines += ["7200,,2,4,50"]
    result = run(living(tmp_path, lines, arrivals={"class": "web"}))
    per_s = 1000.0 / WEB_MHZ_S
    requests = column(result, "vms", "vm", "requests")
    assert sorted(requests.values()) == pytest.approx([60 * per_s, 3600 * per_s, 3650 * per_s])
    assert result.value("requests") == pytest.approx((60 + 3600 + 3650) * per_s)
    # Two vCPUs at 50 %, 13 ms each: 13 ms (1 + C / (k (1 - rho))) with C = 1/3.
    assert result.value("response_mean_ms") == pytest.approx(13 * (1 + 1 / 3), rel=1e-9)


@pytest.mark.parametrize("minute", [3, 50, 59, 119])
def test_a_standstill_costs_what_a_fluid_says_wherever_it_falls(
    tmp_path: Path, minute: int
) -> None:
    """A guest on storage for 63.4 s: requests wait for it, and the backlog drains after."""
    lines = ["arrival,lifetime,vcpus,memory,utilisation", "0,,2,4,50"]
    control = {"policy": "reassign", "at": f"{minute} min", "assignment": {"vm-1": "h-2"}}
    result = run(
        living(
            tmp_path,
            lines,
            arrivals={"class": "web"},
            farm={"hosts": [{"name": "h", "server": SERVER, "count": 2}]},
            migration={"model": "suspend_resume", "resume": "60 s"},
            policies={"every": "1 min", "control": control},
        )
    )
    assert result.value("migrations") == 1
    away_s = result.value("downtime_max_s")
    assert 60 < away_s < 70
    # The backlog gathers for as long as the guest is away and drains for as long again.
    steady_ms = 13 * (1 + 1 / 3)
    fluid_ms = 1e3 * away_s**2 / (3 * HOUR_S)
    assert result.value("response_mean_ms") == pytest.approx(fluid_ms + steady_ms, rel=0.01)
    assert 360 < fluid_ms < 380
    assert result.value("requests") == pytest.approx(3 * HOUR_S * 1000 / WEB_MHZ_S)
    assert result.value("requests_waiting") == pytest.approx(0, abs=1e-6)


def test_means_over_vms_are_means_over_their_lives(tmp_path: Path) -> None:
    """Two VMs of 8 GHz share 10 GHz for an hour of ten: 3/8 of their lives they are ready."""
    lines = ["arrival,lifetime,vcpus,memory,utilisation", *["0,3600,8,4,100"] * 2]
    initial = {"cpu_overcommit": 2}
    made = living(tmp_path, lines, run={"duration": "10 h"}, policies={"initial": initial})
    result = run(made)
    assert result.value("cpu_ready") == pytest.approx(0.375)
    assert result.value("cpu_ready_max") == pytest.approx(0.375)
    ready = column(result, "vms", "vm", "ready_share")
    assert list(ready.values()) == pytest.approx([0.375, 0.375])


@pytest.mark.parametrize("lifetime", ["7200", ""])
def test_exposure_does_not_end_with_the_life_of_a_vm(tmp_path: Path, lifetime: str) -> None:
    lines = ["arrival,lifetime,vcpus,memory,utilisation,tenant"]
    lines += [f"0,{lifetime},2,4,50,{tenant}" for tenant in "ab"]
    farm = {"hosts": [{"name": "h", "server": SERVER, "count": 1, "hypervisor": "kvm"}]}
    tenants = [{"name": "a"}, {"name": "b"}]
    result = run(living(tmp_path, lines, farm=farm, tenants=tenants))
    assert result.value("co_tenants") == pytest.approx(1.0)
    assert result.value("exposure") == 3.0
    assert list(column(result, "tenants", "tenant", "co_tenants").values())[:2] == [1.0, 1.0]


def test_co_tenants_are_weighted_by_time(tmp_path: Path) -> None:
    """``a`` is alone for an hour of two, then with ``b`` for a quarter and ``c`` for the next."""
    lines = ["arrival,lifetime,vcpus,memory,utilisation,tenant"]
    lines += ["0,7200,1,1,50,a", "3600,1800,1,1,50,b", "5400,1800,1,1,50,c"]
    tenants = [{"name": each} for each in "abc"]
    result = run(living(tmp_path, lines, tenants=tenants))
    with_others = column(result, "vms", "vm", "co_tenants")
    assert sorted(with_others.values()) == pytest.approx([0.5, 1.0, 1.0])
    assert result.value("co_tenants") == pytest.approx(2 * 3600 / (7200 + 3600))


def test_co_stop_does_not_depend_on_when_it_is_reported(tmp_path: Path) -> None:
    """A host is crowded from 10 min to 20 min of an hour; between reports nobody looks."""
    lines = ["arrival,lifetime,vcpus,memory,utilisation", "0,,8,4,50", "600,600,8,4,50"]
    farm = {"hosts": [{"name": "h", "server": SERVER, "count": 1, "hypervisor": "kvm"}]}
    shares = []
    for report in ("1 h", "15 min", "50 s"):
        made = living(
            tmp_path, lines, run={"duration": "1 h", "report_every": report}, farm=farm,
            policies={"initial": {"cpu_overcommit": 2}},
        )  # fmt: skip
        result = run(made)
        shares.append(list(column(result, "vms", "vm", "costop_share").values()))
    assert shares[0][0] > 0
    assert shares[0][0] * 6 == pytest.approx(shares[0][1], rel=1e-9)
    assert shares[1] == pytest.approx(shares[0], rel=1e-9)
    assert shares[2] == pytest.approx(shares[0], rel=1e-9)


ROW = st.tuples(
    st.integers(0, 10_000), st.integers(30, 9000), st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([20, 60, 90, 97, 100]), st.sampled_from(["a", "b"]),
)  # fmt: skip
FIGURES = (
    "energy_kwh", "requests", "response_mean_ms", "requests_waiting", "co_tenants", "exposure",
    "cpu_ready", "cpu_costop", "unserved_saturated_share", "unserved_overhead_share",
    "host_utilisation_p95_max", "work_served_ghz_h",
)  # fmt: skip


@given(rows=st.lists(ROW, min_size=1, max_size=12))
@settings(deadline=None, max_examples=25)
def test_no_total_depends_on_the_step_of_the_workload(
    rows: list[tuple[int, int, int, int, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """VMs of constant load that come, crowd, starve each other and leave, between two hosts."""
    folder = tmp_path_factory.mktemp("steps")
    lines = ["arrival,lifetime,vcpus,memory,utilisation,tenant"]
    for at, life, vcpus, load, who in sorted(rows):
        lines.append(f"{at},{life},{vcpus},4,{load},{who}")
    found = []
    for step_s in (HOUR_S, 300.0, 60.0):
        made = living(
            folder, lines, arrivals={"class": "web"},
            farm={"hosts": [{"name": "h", "server": SERVER, "count": 2, "hypervisor": "kvm"}]},
            policies={"initial": {"cpu_overcommit": 3}}, tenants=[{"name": "a"}, {"name": "b"}],
        )  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(build_workload, "SteadySeries", partial(SteadySeries, step_s=step_s))
            result = run(made)
        energy = list(column(result, "tenants", "tenant", "energy_kwh").values())
        found.append([*(result.value(name) for name in FIGURES), *energy])
    assert found[1] == pytest.approx(found[0], rel=1e-6, abs=1e-9)
    assert found[2] == pytest.approx(found[0], rel=1e-6, abs=1e-9)


def test_a_rule_is_broken_from_event_to_event(tmp_path: Path) -> None:
    """Two VMs that should be apart share a host from 100 s to 1234 s, whatever the rounds are."""
    lines = ["vm,arrival,lifetime,vcpus,memory,utilisation", "a,0,,2,4,50", "b,100,1134,2,4,50"]
    rule = {"name": "apart", "type": "apart", "vms": ["*"], "penalty": 3}
    for every in ("5 min", "1 h"):
        made = living(tmp_path, lines, policies={"every": every})
        made["constraints"] = [rule]
        result = run(made)
        assert result.value("rules_broken_vm_h") == pytest.approx(2 * 1134 / HOUR_S)
        for row in result.table("rule_violations").to_pylist():
            assert (row["start_s"], row["end_s"]) == (100.0, 1234.0)


def test_a_rule_about_others_is_watched_between_steps_too(tmp_path: Path) -> None:
    """``a`` wants a host of its own and has company from 700 s to 1000 s."""
    lines = ["vm,arrival,lifetime,vcpus,memory,utilisation", "a,0,,2,4,50", "b,700,300,2,4,50"]
    made = living(tmp_path, lines)
    made["constraints"] = [{"name": "alone", "type": "lonely", "vms": ["a"], "penalty": 3}]
    result = run(made)
    assert result.value("rules_broken_vm_h") == pytest.approx(300 / HOUR_S)


def test_violations_begin_and_end_with_what_causes_them(tmp_path: Path) -> None:
    """The host is short from 100 s, when ``b`` comes, to 1234 s, when it leaves, and once more."""
    lines = ["vm,arrival,lifetime,vcpus,memory,utilisation", "a,0,,8,4,100", "b,100,1134,4,4,100"]
    lines += ["c,2000,60,4,4,100"]
    made = living(tmp_path, lines, policies={"initial": {"cpu_overcommit": 2}})
    rows = run(made).table("violations").to_pylist()
    assert [(row["start_s"], row["end_s"]) for row in rows] == [(100.0, 1234.0), (2000.0, 2060.0)]
    missed = [row["unserved_ghz_h"] * HOUR_S for row in rows]
    assert missed == pytest.approx([2 * 1134, 2 * 60])


def test_peaks_of_vms_are_seen_between_reports(tmp_path: Path) -> None:
    """Three VMs at once for a minute, two that wait for two minutes, nobody at a full hour."""
    lines = ["arrival,lifetime,vcpus,memory,utilisation"]
    lines += ["100,600,2,4,50", "400,60,2,4,50", "410,50,2,4,50"]
    lines += ["1000,120,10,4,50", "1000,60,10,4,50", "1000,60,10,4,50"]
    result = run(living(tmp_path, lines))
    assert result.value("vms_running_max") == 3
    assert result.value("queue_max") == 2
