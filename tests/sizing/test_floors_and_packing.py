"""Floors, break-even, packing and the least number of hosts, against figures worked by hand."""

from collections.abc import Sequence
from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.models.base.arrays import Floats, Ints
from farmsim.models.sizing.break_even import break_even, hosts_for_cpu
from farmsim.models.sizing.floors import NEVER, Floor, Floors, floors, oversized
from farmsim.models.sizing.least_hosts import least_hosts
from farmsim.models.sizing.limits import LIMITS, Limits
from farmsim.models.sizing.packing import hosts_bound, pack
from farmsim.models.sizing.planned_farm import (
    PlannedFarm,
    PlannedHosts,
    PlannedVms,
    SpreadRule,
    equal_hosts,
)

GIB = 1024.0


def farm_of(
    memory_gib: Sequence[float],
    vcpus: Sequence[int] | None = None,
    cpu_mhz: Sequence[float] | None = None,
    hosts: PlannedHosts | None = None,
    rules: Sequence[SpreadRule] = (),
    together: Sequence[Ints] = (),
) -> PlannedFarm:
    count = len(memory_gib)
    vms = PlannedVms(
        [f"vm-{row:04d}" for row in range(count)],
        np.ones(count, np.int64) if vcpus is None else np.array(vcpus, np.int64),
        np.array(memory_gib, float) * GIB,
        None if cpu_mhz is None else np.array(cpu_mhz, float),
    )
    hosts = equal_hosts(1, 1000, 1e9, 1e9) if hosts is None else hosts
    return PlannedFarm("cluster", vms, hosts, np.full(count, -1), rules, together)


def of(found: Floors, name: str) -> Floor:
    floor = found.named(name)
    assert floor is not None
    return floor


def enterprise() -> tuple[PlannedFarm, PlannedHosts]:
    """763 VMs with 2,629 vCPUs and 10,420,492 MiB, which use 552.3 GHz."""
    count = 763
    vcpus = np.full(count, 3)
    vcpus[: 2629 - 3 * count] += 1
    memory = np.full(count, 10_420_492 // count)
    memory[: 10_420_492 - int(memory.sum())] += 1
    cpu_mhz = np.full(count, 552_300.0 / count)
    vms = PlannedVms([f"vm-{row}" for row in range(count)], vcpus, memory.astype(float), cpu_mhz)
    server = equal_hosts(1, 64, 179_200, 996_147)
    return PlannedFarm("farm", vms, server, np.full(count, -1)), server


def test_a_refresh_of_763_vms_is_limited_by_memory_with_one_host_down() -> None:
    farm, server = enterprise()
    found = floors(farm, server, Limits(), reserve=1)
    assert found.hosts == 12
    limiter = found.limiter
    assert (limiter.name, limiter.hosts, limiter.failed) == ("memory", 12, 1)
    # 2,629 vCPUs on 4 x 64: 10.3 hosts in normal operation; on 6 x 64: 6.8, and 1.
    assert (of(found, "vcpus").hosts, of(found, "vcpus").failed) == (11, 0)
    assert of(found, "cpu").hosts == 6
    assert found.second is not None
    assert found.second.name == "vcpus"
    assert limiter.slack(12) == pytest.approx(1 - 10_420_492 / (11 * 996_147))
    assert limiter.break_even(12) == pytest.approx(1.0515, abs=1e-4)


def test_the_break_even_of_cpu_is_2_68_at_the_hosts_that_memory_needs() -> None:
    farm, _ = enterprise()
    hosts = equal_hosts(12, 64, 179_200, 996_147)
    factor = break_even(farm.vms.needs().sum(axis=0), hosts, Limits(), reserve=1)
    assert factor[2] == pytest.approx(11 * 179.2 * 0.75 / 552.3)
    assert round(float(factor[2]), 2) == 2.68
    asked = {k: hosts_for_cpu(552_300, k, 179_200, Limits(), 1) for k in (2.25, 4, 7)}
    assert asked == {2.25: 11, 4: 18, 7: 30}
    forgotten = break_even(np.array([1.0, 1.0, 499_100.0]), hosts, Limits(), reserve=1)
    assert round(float(forgotten[2]), 2) == 2.96


def test_two_failures_are_held_to_their_own_limit_and_to_that_of_one() -> None:
    farm = farm_of([1.0], cpu_mhz=[7_450.0])
    server = equal_hosts(1, 1000, 1000.0, 1e9)
    # One down: 7,450 / 750 = 9.93 -> 10 + 1; two down: 7,450 / 850 = 8.76 -> 9 + 2: 11 both.
    assert of(floors(farm, server, Limits(), 2), "cpu").hosts == 11
    farm = farm_of([1.0], cpu_mhz=[76_000.0])
    # One down: 101.3 -> 102 + 1; two down: 89.4 -> 90 + 2. One failure decides.
    cpu = of(floors(farm, server, Limits(), 2), "cpu")
    assert (cpu.hosts, cpu.failed) == (103, 1)


def test_unknown_cpu_has_no_floor_and_a_vm_beyond_every_host_has_no_answer() -> None:
    server = equal_hosts(1, 8, 1e4, 64 * GIB)
    farm = farm_of([16, 16])
    found = floors(farm, server, Limits(), 1)
    assert found.named("cpu") is None
    assert not found.cpu_known
    large = floors(farm_of([16, 65]), server, Limits(), 1)
    assert large.hosts == NEVER
    assert large.limiter.name == "largest_vm"
    assert "vm-0001 is larger than a host (memory)" in large.limiter.reason
    answer = least_hosts(farm_of([16, 65]), lambda n: equal_hosts(n, 8, 1e4, 64 * GIB), Limits(), 1)
    assert answer.hosts is None


def test_vms_of_more_than_half_a_host_are_named() -> None:
    server = equal_hosts(1, 8, 1e4, 64 * GIB)
    farm = farm_of([32, 33, 8, 8], vcpus=[4, 4, 4, 5])
    assert oversized(farm, server, Limits()) == ["vm-0001", "vm-0003"]


def test_limits_have_their_defaults_from_the_table() -> None:
    limits = Limits()
    assert {name: getattr(limits, name) for name in LIMITS} == {
        name: each.typical for name, each in LIMITS.items()
    }


def test_vms_kept_apart_need_one_host_more_than_their_number() -> None:
    farm = farm_of([1, 1], rules=[SpreadRule("db", np.array([0, 1]))])
    answer = least_hosts(farm, lambda n: equal_hosts(n, 32, 1e5, 256 * GIB), Limits(), 1)
    assert (answer.hosts, answer.bound, answer.floors.limiter.name) == (3, 3, "rules")
    assert answer.floors.limiter.reason.startswith("apart: db")


def test_spare_hosts_reach_the_bound_where_even_filling_leaves_only_pieces() -> None:
    # 12 VMs of 33: 3 per host, so 4 hosts and 1: evenly filled 5 hosts have 2 or 3 each.
    farm = farm_of([33] * 12)
    answer = least_hosts(farm, lambda n: equal_hosts(n, 32, 1e5, 100 * GIB), Limits(), 1)
    assert (answer.hosts, answer.proven) == (5, True)
    # 8 VMs of 60 and 8 of 40: 8 full hosts; evenly, no host with 20 free takes one of 60.
    farm = farm_of([60] * 8 + [40] * 8)
    answer = least_hosts(farm, lambda n: equal_hosts(n, 32, 1e5, 100 * GIB), Limits(), 1)
    assert (answer.hosts, answer.proven) == (9, True)
    assert len(set(answer.home.tolist())) == 8


def test_vms_kept_together_are_placed_as_one() -> None:
    hosts = equal_hosts(3, 32, 1e5, 100 * GIB)
    farm = farm_of([50, 60, 60, 40], hosts=hosts, together=[np.array([0, 3]), np.array([1, 3])])
    assert pack(farm, Limits().rooms(hosts, 0)) is None
    farm = farm_of([50, 60, 60, 40], hosts=hosts, together=[np.array([0, 3])])
    home = pack(farm, Limits().rooms(hosts, 0))
    assert home is not None
    assert home[0] == home[3]
    assert len(set(home.tolist())) == 3


def least_by_trying(sizes: Floats, hosts: int, room: Floats) -> int:
    """Return the least number of hosts by trying every placement."""
    best = hosts + 1
    for home in product(range(hosts), repeat=len(sizes)):
        load = np.zeros((hosts, sizes.shape[1]))
        np.add.at(load, np.array(home), sizes)
        if (load <= room + 1e-9).all():
            used = len(set(home))
            best = min(best, used)
    return best


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 100), st.integers(1, 8)), min_size=1, max_size=6),
)
def test_packing_is_never_below_the_bound_and_the_bound_never_above_the_optimum(
    vms: list[tuple[int, int]],
) -> None:
    memory, vcpus = zip(*vms, strict=True)
    farm = farm_of(memory, vcpus)
    limits = Limits(vcpus_per_core=1.0)
    server = equal_hosts(1, 8, 1e5, 100 * GIB)
    room = limits.rooms(server, 0)[0]
    optimum = least_by_trying(farm.vms.needs(), len(vms), room)
    bound = hosts_bound(farm, room)
    answer = least_hosts(
        farm, lambda n: equal_hosts(n, 8, 1e5, 100 * GIB), Limits(1.0, 1.0, min_hosts=1), 0
    )
    assert answer.hosts is not None
    assert bound <= optimum <= answer.hosts
    assert answer.hosts <= bound * 1.5 + 1
    if answer.proven:
        assert answer.hosts == optimum


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 8)), min_size=1, max_size=12),
    st.randoms(),
)
def test_the_answer_does_not_depend_on_the_order_of_rows(
    vms: list[tuple[int, int]], random: Random
) -> None:
    shuffled = list(vms)
    random.shuffle(shuffled)

    def hosts_of(count: int) -> PlannedHosts:
        return equal_hosts(count, 8, 1e5, 100 * GIB)

    one, other = (
        least_hosts(
            farm_of([gib for gib, _ in each], [cores for _, cores in each]), hosts_of, Limits(), 1
        )
        for each in (vms, shuffled)
    )
    assert (one.hosts, one.bound, one.spares) == (other.hosts, other.bound, other.spares)
