"""Rules of placement: what each means, that nothing breaks a hard one, that soft ones order."""

from typing import Any, get_args

import numpy as np
import pytest
from builders import make_engine, make_farm, make_hosts, make_vms, rows
from chaos import Chaos, Rounds, watch
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.models.base.arrays import Bools, Ints
from farmsim.models.farm.farm import Farm
from farmsim.models.hardware.racks_and_sites import Domains
from farmsim.models.rules.checker import violated
from farmsim.models.rules.conflicts import Need, conflicts
from farmsim.models.rules.constraints import Rule
from farmsim.models.rules.occupancy import Occupancy, refused
from farmsim.models.rules.rules import Rules
from farmsim.models.state.utilisation_history import Ring
from farmsim.policies.catalogue import available
from farmsim.policies.control.consolidation import Consolidation
from farmsim.policies.control.control import ControlPolicy, NoControl, PowerProportional
from farmsim.policies.control.evacuation import Evacuation
from farmsim.policies.interface.view import FarmView
from farmsim.policies.overload.static_threshold import StaticThreshold
from farmsim.policies.placement.candidates import Candidates
from farmsim.policies.placement.placement import Placement, place_bound_first
from farmsim.policies.placement_algorithms.best_fit import BestFitDecreasing
from farmsim.policies.placement_algorithms.dot_product import DotProduct
from farmsim.policies.placement_algorithms.first_fit import FirstFit
from farmsim.policies.placement_algorithms.power_aware import PowerAwareBestFitDecreasing
from farmsim.policies.placement_algorithms.round_robin import RoundRobin
from farmsim.policies.placement_algorithms.worst_fit import WorstFit
from farmsim.scenarios.spec.constraints import Constraint
from farmsim.sim.base.random_streams import Streams
from farmsim.sim.initial_placement import UnplacedError
from farmsim.sim.outcome import Outcome

ROOMY_MHZ = 1e6
NOWHERE = -1


def domains(racks: list[int], sites: list[int] | None = None) -> Domains:
    site = np.array(sites if sites is not None else [0] * len(racks))
    names = [f"rack-{index}" for index in range(max(racks) + 1)]
    return Domains(np.array(racks), site, names, [f"site-{i}" for i in range(int(site.max()) + 1)])


def compiled(*rules: Rule, vms: int = 6, racks: list[int] | None = None) -> Rules:
    places = domains(racks or [0, 0, 1, 1])
    return Rules(rules, places, vms, np.full(len(places.rack), 1000.0))


def rule(kind: str, *vms: int, **more: Any) -> Rule:
    more = {key: rows(*value) if key == "hosts" else value for key, value in more.items()}
    return Rule(more.pop("name", kind), kind, rows(*vms), **more)


def allowed(rules: Rules, home: list[int], vm: int, moving_to: list[int] | None = None) -> Bools:
    """Hosts that every hard rule leaves to a VM."""
    count = len(rules.capacity_mhz)
    host = np.array(home + [NOWHERE] * (len(rules.place_class) - len(home)))
    coming = np.full(len(host), NOWHERE)
    coming[: len(moving_to or [])] = moving_to or []
    left: Bools = rules.places[rules.place_class[vm]].copy()
    barred = Occupancy(rules, host, coming).barred(vm, np.arange(count))
    return left if barred is None else left & ~barred


MEANINGS: dict[str, tuple[Rule, list[int], int, list[bool]]] = {
    "together on the host of the others": (
        rule("together", 0, 1, 2), [1, 1], 2, [False, True, False, False],
    ),
    "together anywhere while nobody is placed": (rule("together", 0, 1), [], 0, [True] * 4),
    "together in the rack of the others": (
        rule("together", 0, 1, level="rack"), [1], 1, [True, True, False, False],
    ),
    "apart from hosts of the others": (
        rule("apart", 0, 1, 2), [0, 3], 2, [False, True, True, False],
    ),
    "apart binds nobody else": (rule("apart", 0, 1), [0, 3], 2, [True] * 4),
    "spread over racks": (
        rule("spread", 0, 1, level="rack"), [0], 1, [False, False, True, True],
    ),
    "spread, two to a rack": (
        rule("spread", 0, 1, 2, 3, level="rack", at_most=2), [0, 1, 2], 3,
        [False, False, True, True],
    ),
    "fence": (rule("fence", 0, hosts=(1, 2)), [], 0, [False, True, True, False]),
    "fence binds nobody else": (rule("fence", 0, hosts=(1, 2)), [], 1, [True] * 4),
    "ban": (rule("ban", 0, hosts=(1, 2)), [], 0, [True, False, False, True]),
    "lonely VM away from strangers": (
        rule("lonely", 0, 1), [3, 0, 2], 0, [True, True, False, True],
    ),
    "stranger away from lonely VMs": (rule("lonely", 0, 1), [3, 0], 2, [False, True, True, False]),
    "dedicated hosts for their VMs": (rule("dedicated", 0, hosts=(1,)), [], 0, [True] * 4),
    "dedicated hosts for nobody else": (
        rule("dedicated", 0, hosts=(1,)), [], 2, [True, False, True, True],
    ),
    "preserved CPU": (
        rule("preserve", 0, 1, cpu_mhz=600.0), [1], 1, [True, False, True, True],
    ),
    "preserved CPU within capacity": (rule("preserve", 0, 1, cpu_mhz=500.0), [1], 1, [True] * 4),
}  # fmt: skip


@pytest.mark.parametrize("case", MEANINGS)
def test_rules_mean_what_they_say(case: str) -> None:
    one, home, vm, expected = MEANINGS[case]
    assert allowed(compiled(one), home, vm).tolist() == expected


KINDS = {kind.model_fields["type"].annotation.__args__[0] for kind in get_args(Constraint)}
"""Every kind of rule that a scenario can write."""


def test_every_kind_has_a_meaning() -> None:
    assert {one.kind for one, *_ in MEANINGS.values()} == KINDS


def test_a_vm_that_moves_counts_at_both_ends() -> None:
    rules = compiled(rule("apart", 0, 1))
    assert allowed(rules, [0], 1, [2]).tolist() == [False, True, False, True]


def test_a_vm_does_not_stand_in_its_own_way() -> None:
    rules = compiled(rule("spread", 0, 1, level="rack"), rule("preserve", 0, cpu_mhz=900.0))
    assert allowed(rules, [0, 2], 0).tolist() == [True, True, False, False]


BREACHES: list[tuple[Rule, list[int], list[int], list[tuple[int, int]]]] = [
    (rule("together", 0, 1, 2), [1, 1, 2], [], [(2, 2)]),
    (rule("together", 0, 1), [0, 1], [1], []),  # VM 0 is on its way to VM 1
    (rule("apart", 0, 1), [0, 0], [], [(0, 0), (1, 0)]),
    (rule("apart", 0, 1), [0, 1], [1], [(1, 1), (0, 1)]),
    (rule("spread", 0, 1, 2, level="rack", at_most=2), [0, 1, 1], [], [(0, 0), (1, 1), (2, 1)]),
    (rule("fence", 0, 1, hosts=(1,)), [0, 1], [], [(0, 0)]),
    (rule("ban", 0, 1, hosts=(1,)), [0, 1], [], [(1, 1)]),
    (rule("lonely", 0), [2, 2, 3], [], [(0, 2)]),
    (rule("dedicated", 0, hosts=(2,)), [2, 2, 3], [], [(1, 2)]),
    (rule("preserve", 0, 1, cpu_mhz=600.0), [0, 0], [], [(0, 0), (1, 0)]),
    (rule("preserve", 0, 1, cpu_mhz=600.0), [0, 1], [], []),
]


@pytest.mark.parametrize(("one", "home", "moving", "expected"), BREACHES)
def test_the_judge_names_vms_and_hosts(
    one: Rule, home: list[int], moving: list[int], expected: list[tuple[int, int]]
) -> None:
    coming = np.array(moving + [NOWHERE] * (len(home) - len(moving)))
    found = violated([one], domains([0, 0, 1, 1]), np.array(home), coming, np.full(4, 1000.0))
    pairs = [pair for each in found for pair in zip(each.vms, each.hosts, strict=True)]
    assert pairs == expected


kinds = st.sampled_from(sorted(KINDS))
some_rules = st.lists(
    st.fixed_dictionaries(
        {
            "kind": kinds,
            "vms": st.sets(st.integers(0, 7), min_size=1, max_size=5),
            "hosts": st.sets(st.integers(0, 4), min_size=1, max_size=3),
            "level": st.sampled_from(["host", "rack", "site"]),
            "at_most": st.integers(1, 2),
            "cpu_mhz": st.sampled_from([500.0, 1500.0]),
            "soft": st.booleans(),
        }
    ),
    max_size=4,
)


def drawn(written: list[dict[str, Any]], vms: int, hosts: int) -> list[Rule]:
    made = []
    for index, one in enumerate(written):
        named = rows(*sorted(vm for vm in one["vms"] if vm < vms))
        where = rows(*sorted(host for host in one["hosts"] if host < hosts))
        single = one["kind"] in ("apart", "together")
        made.append(
            Rule(
                f"rule-{index}", one["kind"], named, where, one["level"],
                1 if single else one["at_most"], one["cpu_mhz"], 2.0 if one["soft"] else None,
            )
        )  # fmt: skip
    return made


@settings(deadline=None)
@given(
    written=some_rules,
    home=st.lists(st.integers(-1, 4), min_size=8, max_size=8),
    seed=st.integers(0, 99),
)
def test_what_placement_lets_through_the_judge_does_too(
    written: list[dict[str, Any]], home: list[int], seed: int
) -> None:
    """From a situation without a breach, one more VM breaks exactly what is foretold."""
    rng = np.random.default_rng(seed)
    rules = drawn(written, 8, 5)
    places, capacity_mhz = domains([0, 0, 1, 1, 2], [0, 0, 0, 0, 1]), np.full(5, 2000.0)
    host, nobody = np.array(home), np.full(8, NOWHERE)
    vm = int(rng.integers(8))
    host[vm] = NOWHERE
    if violated(rules, places, host, nobody, capacity_mhz):
        return
    occupancy = Occupancy(Rules(rules, places, 8, capacity_mhz), host, nobody)
    for target in range(5):
        with_vm = host.copy()
        with_vm[vm] = target
        broken = violated(rules, places, with_vm, nobody, capacity_mhz)
        foretold = {name for name, _ in occupancy.why(vm, rows(target))}
        assert foretold == {each.rule.name for each in broken if each.rule.hard}
        penalty = occupancy.penalty(vm, rows(target))
        soft = {each.rule.name for each in broken if not each.rule.hard}
        named = [each for each in rules if each.name in soft and binds(each, vm)]
        assert (0.0 if penalty is None else float(penalty[0])) == 2.0 * len(named)


def binds(one: Rule, vm: int) -> bool:
    named = vm in one.vms
    return not named if one.kind == "dedicated" else named or one.kind == "lonely"


def test_the_gate_lets_companions_through_together_only() -> None:
    rules = compiled(rule("together", 0, 1), rule("fence", 1, hosts=(0, 1), name="pen"))
    host, nobody = np.array([0, 0, 2, 2, 2, 2]), np.full(6, NOWHERE)
    both = refused(rules, host, nobody, rows(0, 1), rows(1, 1))
    assert both == ["", ""]
    assert refused(rules, host, nobody, rows(0, 1), rows(2, 2)) == ["together", "pen"]
    assert refused(rules, host, nobody, rows(0), rows(1)) == ["together"]


def test_the_gate_lets_the_first_of_two_rivals_through() -> None:
    rules = compiled(rule("apart", 0, 1))
    host, nobody = np.array([0, 1, 2, 2, 2, 2]), np.full(6, NOWHERE)
    assert refused(rules, host, nobody, rows(1, 0), rows(3, 3)) == ["", "apart"]
    assert refused(rules, host, nobody, rows(0, 1), rows(1, 0)) == ["apart", "apart"]


# Placement


def view_of(farm: Farm, rules: Rules | None) -> FarmView:
    rings = Ring(0, len(farm.vms)), Ring(0, len(farm.hosts))
    return FarmView(farm, *rings, Streams(1), rules=rules)


def place(
    farm: Farm, rules: Rules, placement: Placement, vms: Ints | None = None
) -> tuple[list[int], Candidates]:
    hosts = np.arange(len(farm.hosts))
    load_mhz = np.zeros(len(hosts))
    candidates = Candidates(
        view_of(farm, rules), hosts, farm.vms.size_mhz, load_mhz, farm.hosts.cpu_mhz,
        prefer_awake=False,
    )  # fmt: skip
    vms = np.arange(len(farm.vms)) if vms is None else vms
    return place_bound_first(placement, candidates, vms).hosts.tolist(), candidates


def small(hosts: int = 4, vms: int = 6, cpu_mhz: float = 1000.0) -> Farm:
    return make_farm(make_hosts([cpu_mhz] * hosts), make_vms([100.0] * vms))


PLACEMENTS = [cls() for name, cls in sorted(available("placement").items())]


@pytest.mark.parametrize("placement", PLACEMENTS, ids=lambda each: type(each).__name__)
def test_every_placement_keeps_hard_rules(placement: Placement) -> None:
    rules = compiled(
        rule("together", 0, 5), rule("apart", 1, 2, 3), rule("fence", 4, hosts=(3,)),
        rule("ban", 0, hosts=(0,)), rule("lonely", 1),
    )  # fmt: skip
    hosts, _ = place(small(), rules, placement)
    assert min(hosts) >= 0
    nobody = np.full(6, NOWHERE)
    assert not violated(rules.all, rules.domains, np.array(hosts), nobody, rules.capacity_mhz)


@pytest.mark.parametrize("placement", PLACEMENTS, ids=lambda each: type(each).__name__)
def test_companions_go_where_all_of_them_fit(placement: Placement) -> None:
    farm = make_farm(make_hosts([250.0, 500.0]), make_vms([100.0, 100.0, 100.0]))
    rules = compiled(rule("together", 0, 1, 2), vms=3, racks=[0, 0])
    assert place(farm, rules, placement)[0] == [1, 1, 1]
    lacking = make_farm(make_hosts([250.0, 250.0]), make_vms([100.0, 100.0, 100.0]))
    hosts, candidates = place(lacking, rules, placement)
    assert hosts == [-1, -1, -1]
    assert candidates.free_mhz.tolist() == [250.0, 250.0]


def test_soft_rules_order_and_never_bar() -> None:
    rules = compiled(rule("apart", *range(6), penalty=1.0))
    hosts, _ = place(small(), rules, FirstFit())
    assert hosts == [0, 1, 2, 3, 0, 0]


def test_of_soft_rules_the_cheaper_is_broken() -> None:
    rules = compiled(
        rule("ban", 0, hosts=(0, 1), penalty=1.0), rule("ban", 0, hosts=(2, 3), penalty=0.5)
    )
    assert place(small(vms=6), rules, FirstFit())[0][0] == 2


def test_where_no_host_is_left_the_rules_are_named() -> None:
    rules = compiled(rule("fence", 0, hosts=(0, 1)), rule("apart", 0, 1, 2, name="db"))
    farm = small(vms=6)
    farm.place(rows(1, 2), rows(0, 1), 0.0)
    candidates = Candidates(
        view_of(farm, rules), np.arange(4), farm.vms.size_mhz, np.zeros(4), farm.hosts.cpu_mhz
    )
    (search,) = FirstFit().place(candidates, rows(0)).searches
    assert search.barred == 4
    assert search.rules == "fence 2, db 2"


# Whole runs


"""What changes where VMs are."""


def run_watched(
    farm: Farm, rules: Rules, shares: Any, control: ControlPolicy, **more: Any
) -> tuple[Outcome | None, int]:
    """Run; every hard rule must hold after every change. Return how often was looked."""
    looked = 0

    def check() -> None:
        nonlocal looked
        looked += 1
        vms = farm.vms
        found = violated(rules.all, rules.domains, vms.host, vms.moving_to, rules.capacity_mhz)
        assert [each.rule.name for each in found if each.rule.hard] == []

    watch(farm, check)
    engine = make_engine(farm, shares, control, rules=rules, **more)
    try:
        return engine.run(), looked
    except UnplacedError:
        return None, looked


POLICIES: list[tuple[ControlPolicy, Placement]] = [
    (Consolidation(), FirstFit()),
    (Consolidation(overload=StaticThreshold(0.6), placement=BestFitDecreasing()), WorstFit()),
    (Consolidation(placement=DotProduct()), RoundRobin()),
    (Consolidation(placement=RoundRobin()), RoundRobin()),
    (PowerProportional(), PowerAwareBestFitDecreasing()),
    (Evacuation(hosts="host-1,host-2", hosts_per_wave=1, placement=WorstFit()), FirstFit()),
    (Evacuation(hosts="host-3", at_s=700.0, base_policy=Consolidation()), WorstFit()),
    (NoControl(), FirstFit()),
]

runs = st.fixed_dictionaries(
    {
        "rules": some_rules,
        "policy": st.integers(0, len(POLICIES)),
        "hosts": st.integers(3, 6),
        "vms": st.integers(3, 8),
        "seed": st.integers(0, 10_000),
        "boot_s": st.sampled_from([0.0, 45.0, 500.0]),
        "memory_mib": st.sampled_from([3000.0, 16384.0]),
    }
)


@settings(deadline=None, max_examples=60)
@given(case=runs)
def test_no_event_breaks_a_hard_rule(case: dict[str, Any]) -> None:
    rng = np.random.default_rng(case["seed"])
    hosts, vms = case["hosts"], case["vms"]
    farm = make_farm(
        make_hosts([2000.0] * hosts, memory_mib=case["memory_mib"], boot_s=case["boot_s"]),
        make_vms(rng.choice([200.0, 500.0, 1000.0], vms), rng.choice([512.0, 1500.0], vms)),
    )
    racks = np.sort(rng.integers(0, 3, hosts)).tolist()
    places = domains(racks, [0 if rack < 2 else 1 for rack in racks])
    written = drawn(case["rules"], vms, hosts)
    rules = Rules(written, places, vms, farm.hosts.cpu_mhz)
    chaos = Chaos(case["seed"])
    control, placement = [*POLICIES, (chaos, FirstFit())][case["policy"]]
    shares = rng.random((8, vms))
    outcome, looked = run_watched(
        farm, rules, shares, control, placement=placement, reject=True,
        migration=Rounds(case["seed"]) if case["seed"] % 2 else None,
    )  # fmt: skip
    assert looked
    assert outcome is not None
    said = [outcome.words[word] for word in outcome.tables["decisions"]["outcome"]]
    if control is not chaos:
        assert not [each for each in said if each.startswith("breaks rule")]
    broken = outcome.tables["broken_rules"]
    assert np.all(broken["end_s"] > broken["start_s"])
    assert all(not rules.all[index].hard for index in broken["rule"].tolist())


def test_consolidation_moves_companions_together() -> None:
    farm = make_farm(make_hosts([1000.0] * 4), make_vms([300.0] * 4))
    rules = Rules([rule("together", 0, 1)], domains([0] * 4), 4, farm.hosts.cpu_mhz)
    shares = np.full((6, 4), 0.2)
    outcome, _ = run_watched(farm, rules, shares, Consolidation(), placement=WorstFit())
    assert outcome is not None
    moves = outcome.tables["migrations"]
    assert len(moves["vm"])
    homes = outcome.farm.vms.host
    assert homes[0] == homes[1]


def test_a_policy_that_knows_no_rules_is_refused() -> None:
    farm = make_farm(make_hosts([1000.0] * 3), make_vms([100.0] * 6))
    rules = Rules([rule("apart", *range(3), name="db")], domains([0] * 3), 6, farm.hosts.cpu_mhz)
    engine = make_engine(farm, np.full((6, 6), 0.2), Chaos(3), rules=rules)
    outcome = engine.run()
    said = [outcome.words[word] for word in outcome.tables["decisions"]["outcome"]]
    assert "breaks rule db" in said


def test_time_of_broken_soft_rules_is_exact() -> None:
    farm = make_farm(make_hosts([1000.0] * 2), make_vms([600.0] * 3))
    rules = Rules(
        [rule("ban", 0, 1, hosts=(0, 1), penalty=1.0)], domains([0, 0]), 3, farm.hosts.cpu_mhz
    )
    outcome = make_engine(
        farm, np.full((4, 3), 0.2), placement=FirstFit(), overcommit=2.0, rules=rules
    ).run()
    table = outcome.tables["broken_rules"]
    assert sorted(table["vm"].tolist()) == [0, 1]
    assert (table["end_s"] - table["start_s"]).tolist() == [1200.0, 1200.0]


# Sets that cannot be kept


def found(*rules: Rule, vms: int = 6, racks: list[int] | None = None, **sizes: Any) -> list[str]:
    places = domains(racks or [0, 0, 1, 1])
    count = len(places.rack)
    cpu_mhz = np.full(vms, sizes.get("cpu_mhz", 100.0))
    memory = Need("memory", "MiB", np.full(vms, 1024.0), np.full(count, 4096.0))
    cpu = Need("CPU", "MHz", cpu_mhz, np.full(count, 1000.0))
    return [
        f"{', '.join(each.name for each in conflict.rules)}: {conflict.why}"
        for conflict in conflicts(rules, places, [memory, cpu], cpu.of_host, vms)
    ]


def test_rules_that_can_be_kept_are_no_conflict() -> None:
    assert found(
        rule("together", 0, 1), rule("apart", 1, 2, 3, 4), rule("fence", 0, hosts=(2,)),
        rule("ban", 5, hosts=(0, 1)), rule("lonely", 2), rule("preserve", 0, cpu_mhz=900.0),
        rule("dedicated", 0, 1, hosts=(2,)), rule("spread", 0, 2, level="rack"),
    ) == []  # fmt: skip


CONFLICTS: list[tuple[tuple[Rule, ...], str]] = [
    (
        (rule("together", 0, 1), rule("apart", 0, 1)),
        "together, apart: they must share a host, and may not",
    ),
    (
        (rule("together", 0, 1, name="a"), rule("together", 1, 2, name="b"),
         rule("together", 4, 5, name="c"), rule("apart", 0, 2)),
        "a, b, apart: they must share a host, and may not",
    ),
    (
        (rule("together", 0, 1), rule("spread", 0, 1, level="rack")),
        "together, spread: they must share a rack, and may not",
    ),
    ((rule("fence", 0, 1, hosts=()),), "fence: no host is left to them"),
    ((rule("dedicated", 0, hosts=(0, 1, 2, 3)),), "dedicated: no host is left to them"),
    (
        (rule("fence", 0, hosts=(1,)), rule("ban", 0, hosts=(1, 2))),
        "fence, ban: no host is left to them",
    ),
    (
        (rule("fence", 0, hosts=(1,)), rule("dedicated", 1, hosts=(1,)),
         rule("ban", 0, hosts=(2,))),
        "fence, dedicated: no host is left to them",
    ),
    (
        (rule("fence", 0, hosts=(0,), name="a"), rule("fence", 1, hosts=(1,), name="b"),
         rule("together", 0, 1)),
        "a, b, together: they must share a host, and no host is left to all of them",
    ),
    (
        (rule("fence", 0, hosts=(0,), name="a"), rule("fence", 1, hosts=(2,), name="b"),
         rule("together", 0, 1, level="rack")),
        "a, b, together: they must share a rack, and no rack is left to all of them",
    ),
    (
        (rule("apart", 0, 1, 2, 3, 4),),
        "apart: they must be on different hosts; only 4 are left to them",
    ),
    (
        (rule("apart", 0, 1, 2), rule("fence", 0, 1, 2, hosts=(0, 1))),
        "apart, fence: they must be on different hosts; only 2 are left to them",
    ),
    (
        # Two of them share the only host left, though there are hosts enough for three.
        (rule("apart", 0, 1, 2), rule("fence", 0, 1, hosts=(3,))),
        "apart, fence: they must be on different hosts; only 4 are left to them",
    ),
    (
        (rule("spread", 0, 1, 2, 3, 4, level="rack", at_most=2),),
        "spread: they must be on different racks, 2 each; only 2 are left to them",
    ),
    (
        (rule("together", 0, 1, 2, 3, 4),),
        "together: they need 5,120 MiB memory, 500 MHz CPU of one host; none left has as "
        "much",
    ),
    (
        (rule("preserve", 0, cpu_mhz=1500.0),),
        "preserve: they need 1,024 MiB memory, 100 MHz CPU, 1,500 MHz preserved CPU of one "
        "host; none left has as much",
    ),
    (
        (rule("lonely", 0, 1), rule("together", 1, 2)),
        "lonely, together: they must share a host, and not all of them are in lonely",
    ),
    (
        tuple(rule("lonely", vm, name=f"l{vm}") for vm in range(4)),
        "l0, l1, l2, l3: they make 5 groups that share no host with others; there are 4 hosts",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "expected"), CONFLICTS)
def test_sets_that_cannot_be_kept_are_told_with_the_fewest_rules(
    rules: tuple[Rule, ...], expected: str
) -> None:
    assert found(*rules) == [expected]


def test_soft_rules_are_never_a_conflict() -> None:
    assert found(rule("together", 0, 1, penalty=1.0), rule("apart", 0, 1)) == []


@settings(deadline=None)
@given(written=some_rules)
def test_a_conflict_means_that_no_placement_keeps_the_rules(written: list[dict[str, Any]]) -> None:
    """Among all placements of four VMs on three hosts none keeps rules that are in conflict."""
    rules = [each for each in drawn(written, 4, 3) if len(each.vms)]
    places, capacity_mhz = domains([0, 0, 1]), np.full(3, 2000.0)
    if not conflicts(rules, places, [], capacity_mhz, 4):
        return
    hard = [each for each in rules if each.hard]
    nobody = np.full(4, NOWHERE)
    for number in range(3**4):
        home = np.array([number // 3**vm % 3 for vm in range(4)])
        assert violated(hard, places, home, nobody, capacity_mhz)
