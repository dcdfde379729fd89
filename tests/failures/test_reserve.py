"""Room kept for failures: what it bars, which hosts it keeps awake, what it takes to break it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import make_engine, make_farm, make_hosts, make_vms, peak_on, rows
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_farms import ONE_HOST, RESERVE_SCENARIO, reserve_scenario

import farmsim
from farmsim.analysis.studies.failover import failover
from farmsim.models.farm.farm import Farm
from farmsim.models.rules.reserve import (
    AllowedHosts,
    HostedVms,
    Reserve,
    always_enough,
    enough_places,
    largest_fit,
    survives,
)
from farmsim.policies.control.control import PowerProportional
from farmsim.policies.interface.reserve_book import FarmReserve, ReserveBook
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.language.yaml_text import parse
from farmsim.scenarios.scenario import Scenario


def held(home: list[int], mib: list[float], mhz: list[float], free: list[list[float]]) -> HostedVms:
    free_mib, free_mhz = map(np.array, free)
    counted = np.ones(len(free_mib), bool)
    return HostedVms(np.array(home), np.array(mib), np.array(mhz), free_mib, free_mhz, counted)


def test_limits_leave_out_the_largest_hosts_and_then_a_share() -> None:
    memory, cpu = np.array([4.0, 16.0, 8.0]), np.array([10.0, 20.0, 40.0])
    assert Reserve(hosts=1).limits(memory, cpu) == (12.0, 30.0)
    assert Reserve(hosts=2).limits(memory, cpu) == (4.0, 10.0)
    assert Reserve(hosts=5).limits(memory, cpu) == (0.0, 0.0)
    assert Reserve(memory_share=0.25, cpu_share=0.5).limits(memory, cpu) == (21.0, 35.0)
    assert Reserve(memory_share=0.25).limits(memory, cpu) == (21.0, np.inf)


def test_sums_fit_where_no_single_host_has_room_for_the_largest_vm() -> None:
    # Host 0 holds 6; 1 and 2 have 4 and 3 left: 7 in all, but not on one.
    torn = held([0], [6.0], [1.0], [[2.0, 4.0, 3.0], [9.0, 9.0, 9.0]])
    assert not largest_fit(torn, 1)
    assert not enough_places(torn, rows(0), anywhere(1, 3))
    # The same with CPU as what is short.
    torn = held([0], [1.0], [6.0], [[9.0, 9.0, 9.0], [2.0, 4.0, 3.0]])
    assert not largest_fit(torn, 1)


def test_the_host_with_most_free_room_may_be_the_one_that_fails() -> None:
    # The VM of host 0 would fit on nobody else; host 0's own 8 do not count.
    lone = held([0], [6.0], [0.0], [[8.0, 4.0], [9.0, 9.0]])
    assert not largest_fit(lone, 1)
    assert largest_fit(held([1], [6.0], [0.0], [[8.0, 4.0], [9.0, 9.0]]), 1)


def anywhere(vms: int, hosts: int, order_matters: bool = False) -> AllowedHosts:
    return AllowedHosts(np.zeros(vms, np.int64), np.ones((1, hosts), bool), order_matters)


def test_places_are_seen_that_largest_vms_do_not_show() -> None:
    # Two VMs of 3 on host 0; hosts 1 and 2 have 4 and 2 left: one finds a place.
    pair = held([0, 0], [3.0, 3.0], [1.0, 1.0], [[0.0, 4.0, 2.0], [9.0, 9.0, 9.0]])
    assert largest_fit(pair, 1)
    assert not enough_places(pair, rows(0), anywhere(2, 3))
    asked: list[list[int]] = []

    def restarts(failed: np.ndarray) -> bool:
        asked.append(failed.tolist())
        return False

    assert not survives(pair, 1, anywhere(2, 3), restarts)
    assert asked == [[0]]


def test_places_count_only_on_hosts_that_all_vms_may_use() -> None:
    # One VM of 2 that may be on hosts 0 and 1 only, where host 1 is full.
    fenced = held([0], [2.0], [1.0], [[0.0, 1.0, 8.0], [9.0, 9.0, 9.0]])
    permits = AllowedHosts(rows(0), np.array([[True, True, False]]))
    assert enough_places(fenced, rows(0), anywhere(1, 3))
    assert not enough_places(fenced, rows(0), permits)
    assert not enough_places(fenced, rows(0), anywhere(1, 3, order_matters=True))


def test_enough_places_for_any_hosts_are_seen_at_once() -> None:
    # Hosts of 10 places with 6, 5 and 4 VMs: 10 are left in all, 4 + 5 if the emptiest fails.
    home = [0] * 6 + [1] * 5 + [2] * 4
    free = [[4.0, 5.0, 6.0], [40.0, 50.0, 60.0]]
    spread = held(home, [1.0] * 15, [1.0] * 15, free)
    assert always_enough(spread, 1, anywhere(15, 3))
    assert not always_enough(spread, 2, anywhere(15, 3))


@pytest.mark.parametrize(
    ("reserve", "rejected"),
    [
        (ONE_HOST, 1),  # three of four hosts of 32 GiB hold 24 VMs of 4 GiB
        (ONE_HOST | {"check": "packing"}, 1),
        ({"kind": "hosts", "hosts": 2}, 9),
        ({"kind": "share", "memory": "50 %", "cpu": "0 %"}, 9),
        ({"kind": "share", "memory": "0 %", "cpu": "25 %"}, 1),
        ({"kind": "dedicated", "hosts": ["h-[34]"]}, 9),
    ],
)
def test_no_vm_is_placed_that_would_break_the_reserve(
    reserve: dict[str, Any], rejected: int
) -> None:
    result = farmsim.run(reserve_scenario(**{"policies.reserve": reserve}))
    assert result.value("vms_rejected") == rejected
    assert result.value("below_reserve_h") == 0.0
    barred = set(result.table("decisions")["barred_by"].to_pylist())
    assert any(text.startswith("the reserve") for text in barred)
    left = result.table("reserve")["memory_left_gib"].to_pylist()
    assert all(value is None or value >= 0 for value in left)
    assert "reserve" in result.report()


def test_a_farm_that_is_full_says_that_it_is_the_reserve() -> None:
    full = reserve_scenario(**{"policies.reserve": ONE_HOST, "policies.initial.unplaced": "refuse"})
    with pytest.raises(InputError, match="the reserve"):
        farmsim.run(full)


@pytest.mark.parametrize("control", ["power_proportional", "consolidation"])
@pytest.mark.parametrize(
    ("reserve", "on"),
    [
        (None, 1.0),
        (ONE_HOST, 2.0),
        ({"kind": "share"}, 2.0),
        ({"kind": "dedicated", "hosts": ["h-4"]}, 2.0),
    ],
)
def test_hosts_stay_awake_for_the_reserve(
    control: str, reserve: dict[str, Any] | None, on: float
) -> None:
    chosen = {"workload.vms": 8, "policies.control": control, "policies.reserve": reserve}
    result = farmsim.run(reserve_scenario(**chosen))
    assert result.value("hosts_on_mean") == on


def test_consolidation_stops_where_the_reserve_begins() -> None:
    spread = {
        "workload.vms": 8, "policies.control": "consolidation",
        "policies.initial.placement": "round_robin", "policies.reserve": ONE_HOST,
    }  # fmt: skip
    result = farmsim.run(reserve_scenario(**spread))
    assert result.table("farm_series")["hosts_on"].to_pylist()[-1] == 2.0
    assert result.value("below_reserve_h") == 0.0


def test_an_evacuation_that_would_break_the_reserve_is_refused() -> None:
    leaving = {"policy": "evacuation", "hosts": "h-1", "at": "10 min"}
    full = {"workload.vms": 24, "policies.control": leaving, "policies.reserve": ONE_HOST}
    result = farmsim.run(reserve_scenario(**full))
    assert result.value("migrations") == 0
    assert "would break the reserve" in result.table("decisions")["outcome"].to_pylist()
    half = farmsim.run(reserve_scenario(**(full | {"workload.vms": 16})))
    assert half.value("below_reserve_h") == 0.0


def test_a_failure_uses_the_reserve_and_time_below_it_is_counted() -> None:
    # N+1 of four hosts; one is away for 20 minutes: three hosts hold what two could.
    down = {
        "schedule": [{"at": "10 min", "component": "host", "match": ["h-1"], "duration": "20 min"}]
    }
    failing = {"workload.vms": 24, "policies.reserve": ONE_HOST, "failures": down}
    result = farmsim.run(reserve_scenario(**failing))
    assert result.value("vm_crashes") == 8
    assert result.value("vms_waiting") == 0
    assert result.value("below_reserve_h") == pytest.approx(1 / 3)
    assert min(result.table("reserve")["memory_left_gib"].to_pylist()) < 0


def reserve_book(home: list[int], reserve: Reserve, exempt: list[int] | None = None) -> ReserveBook:
    vms = len(home)
    free = np.zeros(vms, bool)
    free[exempt or []] = True
    count = 3
    farm = FarmReserve(
        reserve, lambda: (np.full(vms, 1.0), np.full(count, 8.0)), wakes=False, exempt=free
    )
    awake = np.ones(count, bool)
    return ReserveBook(farm, np.array(home), np.full(vms, 4.0), np.full(count, 8.0), awake, ~awake)


def test_vms_that_come_back_after_a_failure_may_use_the_reserve() -> None:
    home = [0, 0, 1, 1, -1]
    assert reserve_book(home, Reserve(hosts=1)).refuses(4)
    assert not reserve_book(home, Reserve(hosts=1), exempt=[4]).refuses(4)
    standby = Reserve(standby=np.array([False, False, True]))
    assert reserve_book(home, standby).barred(4, rows(0, 1, 2)).tolist() == [False, False, True]  # type: ignore[union-attr]
    assert reserve_book(home, standby, exempt=[4]).barred(4, rows(0, 1, 2)) is None


def test_a_move_that_the_test_does_not_survive_is_barred() -> None:
    # With two on each of hosts 0 and 1 and none on 2, any host can fail; with one on 2 as well
    # as two and one elsewhere it still can. A third host may not sleep.
    kept = reserve_book([0, 0, 1, 1], Reserve(hosts=1, packing=True))
    assert kept.whole()
    assert kept.keeps(0, 2)
    assert not kept.sleep(2)
    assert kept.whole()


def test_a_power_proportional_farm_wakes_what_the_reserve_needs() -> None:
    farm: Farm = make_farm(make_hosts([1000.0] * 3), make_vms([1000.0]))
    engine = make_engine(
        farm, np.ones((2, 1)), control=PowerProportional(), reserve=Reserve(hosts=1)
    )
    outcome = engine.run()
    assert peak_on(outcome) == 2
    assert outcome.below_reserve_s == 0.0


@pytest.mark.parametrize(
    ("reserve", "told"),
    [
        ({"kind": "hosts", "hosts": 4}, "larger than the farm, which has 4; keep at most 3"),
        ({"kind": "dedicated", "hosts": ["h-*"]}, "hosts of the farm; name fewer"),
        ({"kind": "dedicated", "hosts": ["x-1"]}, "there is no host 'x-1'"),
        ({"kind": "share", "memory": "100 %"}, "must be less than 1"),
        ({"kind": "share", "memory": "0 %", "cpu": "0 %"}, "reserves nothing"),
        ({"kind": "spare"}, "no kind 'spare'"),
    ],
)
def test_bad_reserves_are_told(reserve: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=r"policies\.reserve") as error:
        reserve_scenario(**{"policies.reserve": reserve})
    assert told in str(error.value)


def test_too_many_sets_to_pack_are_refused() -> None:
    many = {
        "farm.hosts.0.count": 100,
        "policies.reserve": {"kind": "hosts", "hosts": 3, "check": "packing"},
    }
    with pytest.raises(InputError, match="161,700 sets of 3 hosts"):
        reserve_scenario(**many)


def test_the_default_check_admits_as_many_as_survive() -> None:
    # Hosts of 33 GiB hold 8 VMs of 4 GiB and a quarter of one: sums admit 24 + 3 / 4 times.
    wide = {
        "farm.hosts.0.count": 6, "farm.hosts.0.server.memory": "33 GiB", "workload.vms": 60,
        "policies.initial.cpu_overcommit": 4, "policies.initial.placement": "worst_fit",
    }  # fmt: skip
    two = {"kind": "hosts", "hosts": 2}
    proved = reserve_scenario(**wide, **{"policies.reserve": two})
    assert 60 - farmsim.run(proved).value("vms_rejected") == 32
    assert failover(proved, pairs=True).survives("pair")
    summed = reserve_scenario(**wide, **{"policies.reserve": two | {"check": "sum"}})
    result = farmsim.run(summed)
    assert 60 - result.value("vms_rejected") == 33
    assert not failover(summed, pairs=True).survives("pair")
    assert any("does not prove" in warning for warning in result.summary["warnings"])


CLUSTERS: dict[str, Any] = {
    "workload.vms": None,
    "workload.sizes": [
        {"name": "a", "vcpus": 1, "clock": "2 GHz", "memory": "8 GiB", "count": 6},
        {"name": "b", "vcpus": 1, "clock": "2 GHz", "memory": "4 GiB", "count": 2},
    ],
    "constraints": [
        {"name": "cluster-a", "type": "fence", "sizes": ["a"], "hosts": ["h-[12]"]},
        {"name": "cluster-b", "type": "fence", "sizes": ["b"], "hosts": ["h-[34]"]},
    ],
    "policies.reserve": ONE_HOST, "policies.initial.cpu_overcommit": 4,
    "policies.initial.placement": "worst_fit",
}  # fmt: skip


def test_a_reserve_holds_for_the_hosts_that_vms_may_use() -> None:
    # The farm has room for one host's VMs, but not the hosts of cluster a: 4 of 6 have a place.
    admitted = farmsim.run(reserve_scenario(**CLUSTERS))
    assert admitted.value("vms_rejected") == 2
    assert admitted.value("below_reserve_h") == 0.0
    assert failover(reserve_scenario(**CLUSTERS)).survives("host")


def test_vms_that_are_not_to_be_rejected_break_the_reserve_and_it_is_told() -> None:
    result = farmsim.run(reserve_scenario(**(CLUSTERS | {"policies.initial.unplaced": "refuse"})))
    assert result.value("below_reserve_h") == 1.0
    assert any("The reserve was not kept for 1 h" in each for each in result.summary["warnings"])


SIZES = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 16)), min_size=1, max_size=3)


@settings(max_examples=40, deadline=None)
@example(
    [(1, 11), (1, 3), (1, 13)], [(28, 4), (36, 4), (25, 4), (25, 4)], 1, 16, "round_robin",
    "together", False,
)  # fmt: skip
@given(
    SIZES, st.lists(st.tuples(st.integers(16, 40), st.integers(4, 10)), min_size=3, max_size=5),
    st.integers(1, 2), st.integers(2, 22),
    st.sampled_from(["first_fit", "best_fit_decreasing", "worst_fit", "round_robin", "random",
                     "power_aware_best_fit_decreasing"]),
    st.sampled_from(["none", "fence", "ban", "apart", "spread", "lonely", "together"]),
    st.booleans(),
)  # fmt: skip
def test_a_farm_that_keeps_its_reserve_survives_what_it_is_kept_for(
    sizes: list[tuple[int, int]], hosts: list[tuple[int, int]], spare: int, vms: int,
    placement: str, rule: str, by_demand: bool,
) -> None:  # fmt: skip
    made = [
        {"name": f"s{index}", "vcpus": vcpus, "clock": "2 GHz", "memory": f"{gib} GiB"}
        for index, (vcpus, gib) in enumerate(sizes)
    ]
    power = RESERVE_SCENARIO["farm"]["hosts"][0]["server"]["power"]
    groups = [
        {"name": f"g{index}", "count": 1, "server": {
            "cores": cores, "clock": "2 GHz", "memory": f"{gib} GiB", "power": power}}
        for index, (gib, cores) in enumerate(hosts)
    ]  # fmt: skip
    named = {"name": "r", "type": rule}
    rules = {
        "none": [],
        "fence": [named | {"sizes": ["s0"], "hosts": ["g[0-2]*"]}],
        "ban": [named | {"sizes": ["s0"], "hosts": ["g0*"]}],
        "spread": [named | {"vms": ["vm-*"], "at_most": 3}],
    }.get(rule, [named | {"vms": ["vm-*1", "vm-*2"]}])
    kept = reserve_scenario(
        **{
            "run.duration": "10 min",
            "farm.hosts": groups,
            "workload.vms": vms,
            "workload.sizes": made,
            "constraints": rules,
            "policies.initial.placement": placement,
            "policies.initial.count_by": "demand" if by_demand else "size",
            "policies.reserve": ONE_HOST | {"hosts": spare},
        }
    )
    try:
        outcome = failover(kept, pairs=spare == 2)
    except InputError as error:
        told = str(error)
        assert "finds no VM on any host" in told or "cannot be kept" in told
        return
    result = farmsim.run(kept)
    unproven = any("does not prove that VMs restart" in each for each in result.summary["warnings"])
    assert unproven == (placement in {"round_robin", "random"})
    if not unproven:
        assert result.value("below_reserve_h") == 0.0
        assert not any(each.stranded for each in outcome.failures), outcome.text()


def test_the_farm_of_the_page_on_failover_keeps_what_the_page_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "failover.md").read_text("utf-8")
    text = page.split("```yaml\nname: reserve\n")[1].split("```")[0]
    data = parse(f"name: reserve\n{text}").data
    for check, kept in (("sum", 1266), ("packing", 1260)):
        data["policies"]["reserve"]["check"] = check
        result = farmsim.run(Scenario.of(data))
        assert 1600 - result.value("vms_rejected") == kept
