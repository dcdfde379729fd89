"""Whatever plans a policy makes, nothing is lost, doubled or overcommitted."""

from typing import Any

import numpy as np
import pytest
from builders import energy_j, make_engine, make_farm, make_hosts, make_vms
from chaos import REASON, Chaos, Rounds
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.analysis.measure.conservation import check
from farmsim.models.accounts.accounts import Rate
from farmsim.models.farm.audit import audit
from farmsim.policies.catalogue import POLICIES
from farmsim.policies.control.consolidation import Consolidation
from farmsim.policies.interface.plan import Plan, Proposal, Search
from farmsim.policies.interface.view import FarmView
from farmsim.policies.placement_algorithms.worst_fit import WorstFit
from farmsim.policies.user_policies.guard import PolicyFaultError
from farmsim.sim.plan_checks import PlanError

farms = st.fixed_dictionaries(
    {
        "hosts": st.integers(1, 6),
        "vms": st.integers(1, 14),
        "seed": st.integers(0, 10_000),
        "boot_s": st.sampled_from([0.0, 45.0, 500.0]),
        "stop_s": st.sampled_from([0.0, 30.0, 700.0]),
        "on_end": st.sampled_from(["hold", "loop", "stop"]),
        "incoming": st.booleans(),
        "core": st.sampled_from([None, 300.0]),
        "powers_down": st.booleans(),
    }
)


@settings(max_examples=40, deadline=None)
@given(plan=farms)
def test_invariants_hold_at_every_beat_whatever_is_proposed(plan: dict[str, Any]) -> None:
    rng = np.random.default_rng(plan["seed"])
    hosts = make_hosts(
        rng.choice([500.0, 1000.0, 3000.0], plan["hosts"]).tolist(), memory_mib=8192.0,
        boot_s=plan["boot_s"], stop_s=plan["stop_s"], core_mhz=plan["core"], off_w=7.0,
    )  # fmt: skip
    vms = make_vms(
        rng.choice([200.0, 900.0], plan["vms"]).tolist(),
        rng.choice([512.0, 2048.0], plan["vms"]).tolist(),
    )
    farm = make_farm(hosts, vms, plan["incoming"])
    engine = make_engine(
        farm, rng.random((10, plan["vms"])), Chaos(plan["seed"], plan["powers_down"]), WorstFit(),
        Rounds(plan["seed"]), end_s=4000.0, control_s=250.0, report_s=700.0, overcommit=20.0,
        reject=True, on_end=plan["on_end"],
    )  # fmt: skip
    outcome = engine.run(lambda _: audit(farm))
    audit(farm)
    check(outcome, {"energy_kwh": energy_j(outcome) / 3.6e6})
    # energy is the integral of power: no host below off power, none above full power
    assert energy_j(outcome) >= 7.0 * 4000 * len(hosts) - 1e-6
    assert energy_j(outcome) <= 200.0 * 4000 * len(hosts) + 1e-6
    missed = farm.vm_accounts.unserved_mhz_s + farm.vm_accounts.degraded_mhz_s
    assert np.all(missed <= farm.vm_accounts.requested_mhz_s * (1 + 1e-9) + 1e-6)
    moved = outcome.tables["migrations"]
    assert np.all(moved["end_s"] >= moved["start_s"])
    assert np.all(moved["start_s"] >= moved["decided_s"])
    assert farm.vm_accounts.migrations.sum() == moved["finished"].sum()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    overload=st.sampled_from(sorted(POLICIES["overload"])),
    placement=st.sampled_from(sorted(POLICIES["placement"])),
    selection=st.sampled_from(sorted(POLICIES["selection"])),
    memory=st.sampled_from([4096.0, 65536.0]),
)
def test_every_composition_of_consolidation_keeps_the_invariants(
    seed: int, overload: str, placement: str, selection: str, memory: float
) -> None:
    rng = np.random.default_rng(seed)
    hosts = make_hosts([2000.0, 3000.0] * 5, memory_mib=memory, boot_s=100.0, stop_s=20.0)
    farm = make_farm(hosts, make_vms(rng.choice([500.0, 1000.0], 16).tolist(), 1024.0))
    safety = {"safety": 2.0} if "range" in overload or "median" in overload else {}
    policy = Consolidation(
        overload=POLICIES["overload"][overload](**safety),
        selection=POLICIES["selection"][selection](),
        placement=POLICIES["placement"][placement](),
    )
    shares = np.clip(rng.normal(0.5, 0.3, (40, 16)), 0, 1)
    outcome = make_engine(farm, shares, policy, reject=True).run(lambda _: audit(farm))
    check(outcome, {"energy_kwh": energy_j(outcome) / 3.6e6})
    decided = outcome.tables["decisions"]
    moved = sum(outcome.words[code] == "moved" for code in decided["outcome"])
    assert moved == len(outcome.tables["migrations"]["vm"])


def test_sums_of_hosts_equal_the_series() -> None:
    rng = np.random.default_rng(5)
    farm = make_farm(make_hosts([2000.0] * 8, boot_s=60.0), make_vms([500.0] * 20))
    outcome = make_engine(farm, rng.random((30, 20)), Consolidation()).run()
    series, totals = outcome.tables["series"], farm.accounts.totals
    for name, rate in (
        ("energy_j", Rate.POWER_W),
        ("on_s", Rate.ON),
        ("vm_s", Rate.VMS),
        ("unserved_mhz_s", Rate.UNSERVED_MHZ),
        ("short_s", Rate.VIOLATING),
    ):
        assert series[name][-1] == pytest.approx(totals[rate].sum(), rel=1e-12)


class Faulty:
    samples = 0
    powers_down = False

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def decide(self, view: FarmView) -> Plan:
        del view
        return self.plan


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan([Proposal(9, 0, 1, REASON, Search())]), "row 9 in the VMs of proposals"),
        (Plan([Proposal(0, 0, 7, REASON, Search())]), "row 7 in the targets of proposals"),
        (Plan([Proposal(0, 0, 1, REASON, Search())] * 2), "moved twice"),
        (Plan(sleeps=[-1]), "row -1 in sleeps"),
    ],
)
def test_nonsense_names_policy_time_and_row(plan: Plan, message: str) -> None:
    farm = make_farm(make_hosts([1000.0] * 2), make_vms([100.0]))
    engine = make_engine(farm, np.zeros((3, 1)), control=Faulty(plan))
    faults = PlanError, PolicyFaultError
    with pytest.raises(faults, match=f"policy .* at 300 s: .*{message}"):
        engine.run()


def test_a_policy_cannot_write_what_it_sees() -> None:
    class Vandal:
        samples = 1
        powers_down = False

        def decide(self, view: FarmView) -> Plan:
            view.vms.host[0] = 1
            return Plan()

    farm = make_farm(make_hosts([1000.0] * 2), make_vms([100.0]))
    with pytest.raises(PolicyFaultError, match="read-only"):
        make_engine(farm, np.zeros((3, 1)), control=Vandal()).run()


def test_what_became_impossible_is_refused_with_a_reason() -> None:
    class Crowd:
        """Sends three VMs of 6 GiB to a host of 16 GiB, and one VM that is moving already."""

        samples = 0
        powers_down = False

        def decide(self, view: FarmView) -> Plan:
            home = view.vms.host.tolist()
            return Plan([Proposal(vm, home[vm], 3, REASON, Search()) for vm in (0, 1, 2)])

    # a copy of 6 GiB takes 103 s, so the first two are under way at 120 s and there at 180 s
    farm = make_farm(make_hosts([1000.0] * 4), make_vms([100.0] * 3, 6144.0))
    engine = make_engine(
        farm, np.zeros((1, 3)), control=Crowd(), control_s=60.0, placement=WorstFit()
    )
    outcome = engine.run()
    decided = outcome.tables["decisions"]
    said = [outcome.words[code] for code in decided["outcome"][3:12]]
    lacking = "target lacks memory"
    assert said[:3] == ["moved", "moved", lacking]
    assert said[3:6] == ["VM is moving or gone", "VM is moving or gone", lacking]
    assert said[6:9] == ["already there", "already there", lacking]
