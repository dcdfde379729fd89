from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from builders import make_farm, make_hosts, make_vms, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.models.accounts.accounts import Rate
from farmsim.models.farm.audit import audit
from farmsim.models.farm.farm import Farm
from farmsim.models.farm.farm_state import FarmError
from farmsim.models.state.columns import PowerState, VmState
from farmsim.models.state.residents import Residents


def two_hosts(**more: Any) -> Farm:
    farm = make_farm(make_hosts([1000.0, 1000.0], **more), make_vms([800.0, 800.0, 400.0]))
    farm.place(rows(0, 1, 2), rows(0, 0, 1), 0.0)
    return farm


def test_shortage_is_shared_and_charged_to_the_vms() -> None:
    farm = two_hosts()
    farm.set_demand(np.array([800.0, 400.0, 100.0]), 0.0)
    # host 0: 1200 asked of 1000, so 5/6 is delivered and 200 MHz are missing
    farm.settle_all(60.0)
    assert farm.accounts.totals[Rate.UNSERVED_MHZ] == pytest.approx([200 * 60, 0])
    assert farm.vm_accounts.unserved_mhz_s == pytest.approx([800 / 6 * 60, 400 / 6 * 60, 0])
    assert farm.accounts.totals[Rate.VIOLATING].tolist() == [60.0, 0.0]
    # 200 W at full load, 100 W + 10 % of 100 W at a tenth
    assert farm.accounts.totals[Rate.POWER_W] == pytest.approx([200 * 60, 110 * 60])
    audit(farm)


def test_a_vcpu_gets_no_more_than_a_core() -> None:
    hosts = make_hosts([4000.0], core_mhz=1000.0)
    farm = make_farm(hosts, make_vms([3000.0], vcpus=2))
    farm.place(rows(0), rows(0), 0.0)
    farm.set_demand(np.array([3000.0]), 0.0)
    farm.settle_all(10.0)
    # two vCPUs on cores of 1000 MHz: 2000 of 3000 MHz, though the host has 4000
    assert farm.accounts.totals[Rate.DELIVERED_MHZ, 0] == pytest.approx(2000 * 10)
    assert farm.vm_accounts.unserved_mhz_s[0] == pytest.approx(1000 * 10)
    assert farm.accounts.totals[Rate.UNSERVED_MHZ, 0] == pytest.approx(1000 * 10)


def test_a_migration_reserves_at_both_ends_and_costs_the_guest() -> None:
    farm = two_hosts()
    farm.set_demand(np.array([500.0, 100.0, 100.0]), 0.0)
    farm.begin_migration(rows(0), rows(1), 10.0, guest_share=0.9, target_share=0.1)
    assert farm.hosts.memory_used_mib.tolist() == [2048.0, 2048.0]
    # the guest asks for 450 of its 500 MHz
    assert farm.hosts.demand_mhz.tolist() == [550.0, 150.0]
    farm.commit_migration(rows(0), 30.0)
    assert farm.hosts.memory_used_mib.tolist() == [1024.0, 2048.0]
    assert farm.hosts.demand_mhz.tolist() == [100.0, 600.0]
    farm.settle_all(50.0)
    # 10 % of 500 MHz for 20 s
    assert farm.vm_accounts.degraded_mhz_s == pytest.approx([0.1 * 500 * 20, 0, 0])
    assert farm.vm_accounts.migrations.tolist() == [1, 0, 0]
    audit(farm)


def test_a_copy_loads_both_ends_beside_their_guests() -> None:
    farm = two_hosts()
    farm.set_demand(np.array([500.0, 100.0, 100.0]), 0.0)
    farm.begin_migration(rows(0), rows(1), 0.0, source_share=0.2, target_share=0.1)
    assert farm.hosts.demand_mhz.tolist() == [700.0, 150.0]
    farm.set_migration_load(rows(0), 0.0, 0.4, 0.0, 10.0)
    # the guest stands still: its neighbour's 100 and the copy's 200
    assert farm.hosts.demand_mhz.tolist() == [300.0, 100.0]
    audit(farm)
    farm.set_demand(np.array([1000.0, 900.0, 100.0]), 20.0)
    # 900 and the copy's 400 ask for 1300 of 1000 MHz
    assert farm.hosts.demand_mhz.tolist() == [1300.0, 100.0]
    farm.settle_all(30.0)
    assert farm.vm_accounts.unserved_mhz_s[:2] == pytest.approx([0.0, 900 * 3 / 13 * 10])
    assert farm.vm_accounts.degraded_mhz_s[0] == pytest.approx(500 * 10 + 1000 * 10)
    audit(farm)
    farm.abort_migration(rows(0), 30.0)
    assert farm.hosts.demand_mhz.tolist() == [1900.0, 100.0]
    audit(farm)


def test_fetching_pages_loads_the_host_that_still_has_them() -> None:
    farm = two_hosts()
    farm.set_demand(np.array([500.0, 100.0, 100.0]), 0.0)
    farm.begin_migration(rows(0), rows(1), 0.0)
    farm.commit_migration(rows(0), 10.0)
    farm.degrade(rows(0), rows(0), 0.5, 0.1, 0.2, 10.0)
    assert farm.hosts.demand_mhz.tolist() == [150.0, 450.0]
    audit(farm)
    farm.degrade(rows(0), rows(0), 1.0, 0.0, 0.0, 30.0)
    assert farm.hosts.demand_mhz.tolist() == [100.0, 600.0]
    assert farm.vm_accounts.degraded_mhz_s[0] == pytest.approx(0.5 * 500 * 20)
    farm.degrade(rows(0), rows(0), 1.0, 0.3, 0.0, 30.0)
    farm.retire(rows(0), 40.0)
    assert farm.hosts.demand_mhz.tolist() == [100.0, 100.0]
    assert farm.accounts.totals[Rate.DELIVERED_MHZ, 0] == pytest.approx(
        600 * 10 + 150 * 20 + 250 * 10
    )
    audit(farm)


def test_shortage_during_a_migration_is_split_between_its_causes() -> None:
    farm = two_hosts()
    farm.set_demand(np.array([800.0, 400.0, 100.0]), 0.0)
    farm.begin_migration(rows(0), rows(1), 0.0, guest_share=0.9, source_share=0.1)
    farm.commit_migration(rows(0), 10.0)
    farm.settle_all(20.0)
    # ten seconds: the copy takes a tenth, of the rest the host gives 5/6; then all is delivered
    assert farm.vm_accounts.degraded_mhz_s[0] == pytest.approx(0.1 * 800 * 10)
    assert farm.vm_accounts.unserved_mhz_s[0] == pytest.approx(0.9 * 800 / 6 * 10)
    assert farm.vm_accounts.unserved_mhz_s[1] == pytest.approx(400 / 6 * 10)


def test_an_aborted_migration_leaves_no_trace_but_its_cost() -> None:
    farm = two_hosts()
    farm.set_demand(np.array([500.0, 100.0, 100.0]), 0.0)
    farm.begin_migration(rows(0), rows(1), 0.0, guest_share=0.5)
    farm.abort_migration(rows(0), 4.0)
    assert farm.vms.host.tolist() == [0, 0, 1]
    assert farm.hosts.memory_used_mib.tolist() == [2048.0, 1024.0]
    assert farm.vm_accounts.degraded_mhz_s[0] == pytest.approx(0.5 * 500 * 4)
    assert farm.vm_accounts.migrations.sum() == 0
    audit(farm)


def test_switching_is_counted_and_billed_by_state() -> None:
    hosts = make_hosts([1000.0], boot_s=60.0, off_w=5.0)
    farm = make_farm(hosts, make_vms([100.0]))
    farm.start(np.array([False]))
    farm.set_power_state(rows(0), PowerState.BOOTING, 100.0)
    farm.set_power_state(rows(0), PowerState.ON, 160.0)
    farm.set_power_state(rows(0), PowerState.OFF, 200.0)
    farm.settle_all(300.0)
    # 100 s off at 5 W, 60 s booting at 200 W, 40 s idle at 100 W, 100 s off at 5 W
    assert farm.accounts.totals[Rate.POWER_W, 0] == pytest.approx(500 + 12000 + 4000 + 500)
    assert farm.accounts.totals[Rate.SWITCHING, 0] == 60.0
    assert farm.accounts.boots.tolist() == [1]
    assert farm.accounts.stops.tolist() == [1]


WRONG: dict[str, Callable[[Farm], None]] = {
    "placed twice": lambda farm: farm.place(rows(0), rows(1), 0.0),
    "to its own host": lambda farm: farm.begin_migration(rows(0), rows(0), 0.0),
    "not migrating": lambda farm: farm.commit_migration(rows(0), 0.0),
    "not migrating, aborted": lambda farm: farm.abort_migration(rows(0), 0.0),
    "not migrating, loaded": lambda farm: farm.set_migration_load(rows(0), 1.0, 0.0, 0.0, 0.0),
    "off with guests": lambda farm: farm.set_power_state(rows(0), PowerState.OFF, 0.0),
    "started off with guests": lambda farm: farm.start(np.array([False, True])),
    "rejected while running": lambda farm: farm.leave_waiting(rows(0), VmState.REJECTED),
}


@pytest.mark.parametrize("verb", WRONG.values(), ids=WRONG.keys())
def test_a_verb_that_breaks_an_invariant_changes_nothing(verb: Callable[[Farm], None]) -> None:
    farm = two_hosts()
    before = farm.vms.state.tolist(), farm.vms.host.tolist(), farm.hosts.state.tolist()
    with pytest.raises(FarmError):
        verb(farm)
    after = farm.vms.state.tolist(), farm.vms.host.tolist(), farm.hosts.state.tolist()
    assert before == after
    audit(farm)


def test_memory_is_never_beyond_what_a_host_has() -> None:
    farm = make_farm(make_hosts([1e6, 1e6], memory_mib=2500.0), make_vms([1.0] * 4, 1000.0))
    with pytest.raises(FarmError, match="host-1 lacks memory"):
        farm.place(rows(0, 1, 2), rows(0, 0, 0), 0.0)
    farm.place(rows(0, 1, 2, 3), rows(0, 0, 1, 1), 0.0)
    with pytest.raises(FarmError, match="host-2 lacks memory"):
        farm.begin_migration(rows(0), rows(1), 0.0)
    farm.retire(rows(2), 0.0)
    farm.begin_migration(rows(0), rows(1), 0.0)
    with pytest.raises(FarmError, match="lacks memory"):
        farm.begin_migration(rows(1), rows(1), 0.0)
    assert farm.vms.state[1] == VmState.RUNNING


@given(
    moves=st.lists(st.tuples(st.integers(0, 11), st.integers(-1, 3)), max_size=60),
)
def test_residents_agree_with_a_plain_dictionary(moves: list[tuple[int, int]]) -> None:
    residents = Residents(4, 12)
    where: dict[int, int] = {}
    for vm, host in moves:
        if vm in where:
            residents.remove(rows(vm), rows(where.pop(vm)))
        if host >= 0:
            residents.add(rows(vm), rows(host))
            where[vm] = host
    for host in range(4):
        expected = sorted(vm for vm, at in where.items() if at == host)
        assert residents.of(rows(host)).tolist() == expected
    assert residents.of(np.arange(4)).tolist() == sorted(where)


@settings(deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 25), skew=st.sampled_from([1.0, 8.0]))
def test_residents_of_crowded_hosts_agree_with_sets(seed: int, steps: int, skew: float) -> None:
    rng = np.random.default_rng(seed)
    residents, sets = Residents(5, 300), [set[int]() for _ in range(5)]
    at = np.full(300, -1)
    for _ in range(steps):
        vms = rng.choice(300, rng.integers(0, 200), replace=False)
        leaving, coming = vms[at[vms] >= 0], vms[at[vms] < 0]
        to = (5 * rng.random(len(coming)) ** skew).astype(np.int64)
        residents.remove(leaving, at[leaving])
        residents.add(coming, to)
        for vm in leaving.tolist():
            sets[at[vm]].remove(vm)
        for vm, host in zip(coming.tolist(), to.tolist(), strict=True):
            sets[host].add(vm)
        at[leaving], at[coming] = -1, to
        asked = rng.permutation(5)[: rng.integers(0, 6)]
        listed = sorted(vm for host in asked for vm in sets[host])
        assert residents.of(asked).tolist() == listed
        assert residents.count.tolist() == [len(each) for each in sets]


def test_residents_take_and_give_many_at_once() -> None:
    residents = Residents(3, 100)
    vms = np.arange(100)
    residents.add(vms, vms % 3)
    residents.remove(vms[::2], (vms % 3)[::2])
    left = vms[1::2]
    for host in range(3):
        assert residents.of(rows(host)).tolist() == left[left % 3 == host].tolist()


def test_a_suspended_vm_takes_no_room_and_loses_what_it_asks_for() -> None:
    farm = two_hosts()
    farm.set_demand(np.array([500.0, 100.0, 100.0]), 0.0)
    farm.suspend(rows(0), 10.0)
    audit(farm)
    assert farm.vms.state[0] == VmState.SUSPENDED
    assert farm.hosts.memory_used_mib.tolist() == [1024.0, 1024.0]
    assert farm.hosts.demand_mhz.tolist() == [100.0, 100.0]
    farm.set_demand(np.array([300.0, 100.0, 100.0]), 20.0)
    farm.resume(rows(0), rows(1), 30.0)
    audit(farm)
    assert farm.hosts.memory_used_mib.tolist() == [1024.0, 2048.0]
    farm.settle_all(40.0)
    # 500 MHz for 10 s and 300 MHz for 10 s are lost, all of it has been asked for
    assert farm.vm_accounts.degraded_mhz_s == pytest.approx([8000.0, 0, 0])
    assert farm.vm_accounts.requested_mhz_s[0] == pytest.approx(500 * 20 + 300 * 20)
    assert farm.accounts.totals[Rate.DELIVERED_MHZ].sum() == pytest.approx(5000 + 3000 + 200 * 40)


def test_only_running_vms_are_suspended_and_only_suspended_ones_resumed() -> None:
    farm = two_hosts(memory_mib=2048.0)
    with pytest.raises(FarmError, match="resume: VM vm-1 is not suspended"):
        farm.resume(rows(0), rows(1), 0.0)
    farm.suspend(rows(2), 0.0)
    with pytest.raises(FarmError, match="suspend: VM vm-3 is not running"):
        farm.suspend(rows(2), 0.0)
    with pytest.raises(FarmError, match="resume: host host-1 lacks memory"):
        farm.resume(rows(2), rows(0), 1.0)
    farm.set_power_state(rows(1), PowerState.OFF, 1.0)
    with pytest.raises(FarmError, match="resume: host host-2 is not on"):
        farm.resume(rows(2), rows(1), 1.0)
    audit(farm)
