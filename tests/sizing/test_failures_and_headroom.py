"""Failure tables and headroom, against figures worked by hand and every placement tried."""

from collections.abc import Sequence
from itertools import combinations, product
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.models.base.arrays import Floats, Ints
from farmsim.models.sizing.failure_cases import failure_table, survives
from farmsim.models.sizing.headroom import ReferenceVm, headroom, median_vm
from farmsim.models.sizing.limits import Limits
from farmsim.models.sizing.planned_farm import (
    PlannedFarm,
    PlannedHosts,
    PlannedVms,
    SpreadRule,
    equal_hosts,
)

GIB = 1024.0


def hosts_of(
    memory_gib: Sequence[float], cores: int = 64, racks: Sequence[int] | None = None
) -> PlannedHosts:
    count = len(memory_gib)
    rack = np.zeros(count, np.int64) if racks is None else np.array(racks)
    return PlannedHosts(
        [f"h{row}" for row in range(count)],
        np.full(count, cores),
        np.full(count, 1e6),
        np.array(memory_gib, float) * GIB,
        rack,
        np.zeros(count, np.int64),
        [f"rack-{number}" for number in range(int(rack.max()) + 1)],
    )


def farm_of(
    memory_gib: Sequence[float],
    home: Sequence[int] | None,
    hosts: PlannedHosts,
    vcpus: int | Sequence[int] = 1,
    rules: Sequence[SpreadRule] = (),
) -> PlannedFarm:
    count = len(memory_gib)
    vms = PlannedVms(
        [f"v{row:02d}" for row in range(count)],
        np.broadcast_to(np.array(vcpus, np.int64), (count,)).copy(),
        np.array(memory_gib, float) * GIB,
    )
    at = np.full(count, -1) if home is None else np.array(home, np.int64)
    return PlannedFarm("cluster", vms, hosts, at, rules)


def test_losing_the_largest_host_fails_although_the_average_would_pass() -> None:
    hosts = hosts_of([256, 256, 256, 512])
    table = failure_table(farm_of([10.0] * 90, None, hosts), Limits())
    assert table.normal.fails is False
    assert table.survives(1) is False
    by_name = {case.name: case for case in table.hosts}
    assert [by_name[f"h{row}"].fails for row in range(4)] == [False, False, False, True]
    worst = table.worst(0)
    assert worst is not None
    assert worst.name == "h3"
    assert worst.left[0] == 768 * GIB
    assert worst.needed[0] == 900 * GIB
    assert worst.reason == "memory: 900 GiB needed, 768 GiB left"


def test_sums_pass_and_packing_strands_one() -> None:
    table = failure_table(farm_of([56.0] * 9, [0, 1, 2] * 3, hosts_of([256] * 3)), Limits())
    assert not table.normal.fails
    for case in table.hosts:
        assert case.left[0] == 512 * GIB > case.needed[0] == 504 * GIB
        assert case.fails
        assert case.proven
        assert len(case.stranded) == 1
        assert case.stranded[0] in [f"v{row:02d}" for row in range(9)]
        assert case.limiter == "memory"
        assert "needs 56 GiB of memory; 2 of 2 hosts left lack it" in case.reason


def test_two_vms_apart_on_two_hosts_cannot_fail_over() -> None:
    rule = SpreadRule("db", np.array([0, 1]))
    table = failure_table(farm_of([1.0, 1.0], [0, 1], hosts_of([256] * 2), rules=[rule]), Limits())
    assert not table.normal.fails
    assert [case.limiter for case in table.hosts] == ["apart", "apart"]
    assert table.hosts[0].reason == "apart: rule db leaves no host to v00"
    assert table.survives(1) is False
    three = failure_table(farm_of([1.0, 1.0], [0, 1], hosts_of([256] * 3), rules=[rule]), Limits())
    assert three.survives(1) is True
    assert three.survives(2) is False


def test_a_rule_that_is_broken_now_is_no_survival() -> None:
    rule = SpreadRule("db", np.array([0, 1]))
    table = failure_table(farm_of([1.0, 1.0], [0, 0], hosts_of([256] * 3), rules=[rule]), Limits())
    assert table.survives(0) is False
    assert table.normal.reason == "apart: rule db is broken: 2 of its VMs share a host"


def test_one_host_and_no_vms_are_told() -> None:
    table = failure_table(farm_of([1.0], [0], hosts_of([256])), Limits())
    assert table.survives(0) is True
    assert table.survives(1) is False
    assert table.hosts[0].reason == "memory: 1 GiB needed, 0 GiB left"
    assert table.whole == ["rack", "site"]
    none = failure_table(farm_of([], [], hosts_of([256] * 3)), Limits())
    assert none.survives(2) is True


def test_racks_fail_whole() -> None:
    hosts = hosts_of([100] * 4, racks=[0, 0, 1, 1])
    table = failure_table(farm_of([50.0] * 5, [0, 1, 2, 3, 0], hosts), Limits())
    # Either rack leaves 200 GiB for 250.
    assert [(case.name, case.fails) for case in table.domains] == [
        ("rack-0", True),
        ("rack-1", True),
    ]
    assert table.survives(1) is True
    assert table.whole == ["site"]


def test_headroom_of_25_vms_on_three_hosts() -> None:
    vcpus = [6] * 15 + [7] * 10
    for home in ([row % 3 for row in range(25)], None):
        farm = farm_of([16.0] * 25, home, equal_hosts(3, 32, 1e6, 256 * GIB), vcpus)
        found = headroom(
            farm, ReferenceVm(4, 16 * GIB), Limits(vcpus_per_core_failure=4.0), reserve=1
        )
        assert found.independent[:2].tolist() == [112 * GIB, 96]
        assert (found.joint, found.by_sums) == (7, 7)
        assert (found.limiter, found.case) == ("memory", "any host")
        assert found.stranded[:2].tolist() == [0, 68]


def test_headroom_counts_placed_vms_not_sums() -> None:
    # With one of three hosts down 200 GiB are left for 3 x 40; sums allow 2 more, places do too.
    farm = farm_of([40.0] * 3, [0, 1, 2], hosts_of([100] * 3))
    found = headroom(farm, ReferenceVm(1, 40 * GIB), Limits(), reserve=1)
    assert (found.by_sums, found.joint) == (2, 1)
    assert found.stranded[0] == pytest.approx(40 * GIB)


def test_headroom_may_need_migrations() -> None:
    # h0 is full, so that a VM of 60 finds no host if h0 fails, unless VMs migrate before.
    farm = farm_of([60.0, 40.0, 50.0, 50.0], [0, 0, 1, 2], hosts_of([100, 100, 100, 100]))
    found = headroom(farm, ReferenceVm(1, 50 * GIB), Limits(), reserve=1)
    assert found.in_place <= found.joint
    assert found.joint == 2


def test_a_farm_that_fails_already_has_no_headroom_and_says_by_how_much() -> None:
    farm = farm_of([100.0] * 6, None, hosts_of([256] * 3))
    found = headroom(farm, ReferenceVm(4, 16 * GIB), Limits(), reserve=1)
    assert found.joint == 0
    assert found.independent.tolist() == [0, 0, 0]
    assert found.failing is not None
    assert found.failing.reason == "memory: 600 GiB needed, 512 GiB left"


def test_a_vm_larger_than_every_host_never_fits() -> None:
    farm = farm_of([10.0], [0], hosts_of([100] * 3))
    found = headroom(farm, ReferenceVm(1, 120 * GIB), Limits(), reserve=1)
    assert found.joint == 0
    assert (found.limiter, found.reason) == ("memory", "the VM is larger than every host")


def test_the_median_vm_is_taken_by_nearest_rank() -> None:
    vms = PlannedVms(list("abcd"), np.array([2, 8, 4, 4]), np.array([8.0, 1.0, 4.0, 2.0]))
    median = median_vm(vms)
    assert (median.vcpus, median.memory_mib, median.cpu_mhz) == (4, 2.0, 0.0)


def can_restart(farm: PlannedFarm, rooms: Floats, failed: set[int]) -> bool:
    """Whether the VMs of failed hosts find places on the others, by trying all of them."""
    needs = farm.vms.needs()
    left = [host for host in range(len(farm.hosts)) if host not in failed]
    lost = [vm for vm, host in enumerate(farm.home.tolist()) if host in failed]
    if (needs.sum(axis=0) > rooms[left].sum(axis=0) + 1e-6).any():
        return False
    for places in product(left, repeat=len(lost)):
        home = farm.home.copy()
        home[lost] = places
        load = np.zeros_like(rooms)
        np.add.at(load, home, needs)
        touched = sorted(set(places))
        if (load[touched] > rooms[touched] + 1e-6).any():
            continue
        if all(_kept(farm, rule, home, lost) for rule in farm.spread):
            return True
    return False


def _kept(farm: PlannedFarm, rule: SpreadRule, home: Ints, lost: list[int]) -> bool:
    """Whether VMs that restart keep a rule; where others stand is not their business."""
    domain = farm.hosts.domain(rule.level)[home]
    count = np.bincount(domain[rule.vms])
    return all(count[domain[vm]] <= rule.at_most for vm in lost if vm in rule.vms)


@st.composite
def clusters(draw: st.DrawFn) -> PlannedFarm:
    hosts = draw(st.integers(2, 4))
    memory = draw(st.lists(st.sampled_from([60, 100, 140]), min_size=hosts, max_size=hosts))
    vms = draw(
        st.lists(
            st.tuples(st.integers(5, 60), st.integers(1, 8), st.integers(0, hosts - 1)),
            min_size=1,
            max_size=7,
        )
    )
    gib, vcpus, home = zip(*vms, strict=True)
    drawn = draw(st.lists(st.integers(0, 1), min_size=hosts, max_size=hosts))
    racks = np.unique(drawn, return_inverse=True)[1].tolist()
    rules = []
    if draw(st.booleans()) and len(vms) > 1:
        level = draw(st.sampled_from(["host", "rack"]))
        members = sorted(draw(st.sets(st.integers(0, len(vms) - 1), min_size=2, max_size=3)))
        rules.append(SpreadRule("rule", np.array(members), level, draw(st.integers(1, 2))))
    return farm_of(gib, home, hosts_of(memory, cores=4, racks=racks), vcpus, rules)


@settings(max_examples=120, deadline=None)
@given(clusters())
def test_every_failure_is_judged_as_by_trying_all_placements(farm: PlannedFarm) -> None:
    limits = Limits()
    table = failure_table(farm, limits)
    for reserve in (0, 1, 2):
        assert survives(farm, limits, reserve) is (table.survives(reserve) is True)
    index = {name: row for row, name in enumerate(farm.hosts.names)}
    for case in table.hosts:
        rooms = limits.rooms(farm.hosts, 1)
        assert case.proven
        assert case.fails is not can_restart(farm, rooms, {index[case.name]}), case.name
    if len(farm.hosts) > 2:
        rooms = limits.rooms(farm.hosts, 2)
        failing = sum(
            not can_restart(farm, rooms, set(pair))
            for pair in combinations(range(len(farm.hosts)), 2)
        )
        assert (table.pairs_failing, table.pairs_undecided) == (failing, 0)


@settings(max_examples=40, deadline=None)
@given(clusters(), st.randoms())
def test_the_table_does_not_depend_on_the_order_of_rows(farm: PlannedFarm, random: Random) -> None:
    vms, hosts = list(range(len(farm.vms))), list(range(len(farm.hosts)))
    random.shuffle(vms)
    random.shuffle(hosts)
    one = failure_table(farm, Limits())
    other = failure_table(farm.ordered(np.array(vms), np.array(hosts)), Limits())
    assert [(case.name, case.reason, list(case.stranded)) for case in one.hosts] == [
        (case.name, case.reason, list(case.stranded)) for case in other.hosts
    ]
    assert [case.name for case in one.pairs] == [case.name for case in other.pairs]


@settings(max_examples=40, deadline=None)
@given(clusters())
def test_another_empty_host_never_fails_what_fewer_survive(farm: PlannedFarm) -> None:
    before = failure_table(farm, Limits(), pairs=False)
    hosts = farm.hosts
    more = PlannedHosts(
        [*hosts.names, "h9"],
        np.append(hosts.cores, 4),
        np.append(hosts.cpu_mhz, 1e6),
        np.append(hosts.memory_mib, 140 * GIB),
        np.append(hosts.rack, 0),
        np.append(hosts.site, 0),
        hosts.rack_names,
    )
    larger = PlannedFarm("cluster", farm.vms, more, farm.home, farm.spread)
    after = {case.name: case for case in failure_table(larger, Limits(), pairs=False).hosts}
    for case in before.hosts:
        if not case.fails:
            assert not after[case.name].fails
