"""A plan written as columns is the plan written one move after another."""

from dataclasses import dataclass, replace
from unittest.mock import patch

import numpy as np
import pytest
from builders import make_engine, make_farm, make_hosts, make_vms
from chaos import Chaos
from hypothesis import given, settings
from hypothesis import strategies as st

from farmsim.policies.interface.plan import (
    Plan,
    Proposal,
    ProposalColumns,
    Reason,
    Search,
    columns_of,
    propose_columns,
)
from farmsim.policies.interface.view import FarmView
from farmsim.sim.outcome import Outcome
from farmsim.sim.plan_checks import PlanError

RULES = st.sampled_from(["above limit", "idle", "least utilised"])
SHARES = st.floats(0, 1)
COUNTS = st.integers(0, 9)
SEARCHES = st.builds(
    Search, COUNTS, COUNTS, SHARES, COUNTS, COUNTS, COUNTS, COUNTS, st.sampled_from(["", "apart"])
)
PROPOSALS = st.lists(
    st.builds(
        Proposal, COUNTS, COUNTS, COUNTS, st.builds(Reason, RULES, SHARES, SHARES), SEARCHES,
        st.booleans(),
    ),
    max_size=6,
)  # fmt: skip


@given(parts=st.lists(st.tuples(PROPOSALS, st.booleans()), max_size=4))
def test_columns_and_lists_can_be_mixed(parts: list[tuple[list[Proposal], bool]]) -> None:
    plan, expected = Plan(), list[Proposal]()
    for proposals, as_columns in parts:
        expected += proposals
        if as_columns:
            propose_columns(plan, ProposalColumns.of(proposals))
        else:
            plan.proposals.extend(proposals)
    columns = columns_of(plan)
    assert columns.vm.tolist() == [each.vm for each in expected]
    assert columns.proposals() == plan.proposals == expected
    assert replace(plan, sleeps=[1]).proposals == expected


def test_one_value_stands_for_all() -> None:
    plan, rows = Plan(), np.arange(2)
    propose_columns(
        plan, ProposalColumns(rows, rows + 1, rows + 2, "idle", limit=np.array([0.5, 0.25]))
    )
    assert plan.proposals == [
        Proposal(0, 1, 2, Reason("idle", 0.0, 0.5), Search()),
        Proposal(1, 2, 3, Reason("idle", 0.0, 0.25), Search()),
    ]


def test_the_list_may_be_changed_once_it_was_read() -> None:
    plan, rows = Plan(), np.arange(3)
    propose_columns(plan, ProposalColumns(rows, rows, rows + 1, "idle"))
    del plan.proposals[0]
    plan.move(7, 8, "late")
    assert columns_of(plan).vm.tolist() == [1, 2, 7]


@dataclass(frozen=True)
class InColumns:
    """Propose what another policy proposes, as columns."""

    policy: Chaos
    powers_down: bool = True
    samples = 1

    def decide(self, view: FarmView) -> Plan:
        plan = self.policy.decide(view)
        columns = Plan(sleeps=plan.sleeps, sleep_reason=plan.sleep_reason)
        propose_columns(columns, ProposalColumns.of(plan.proposals))
        return columns


def play(control: Chaos | InColumns, seed: int, memory_mib: float = 4096.0) -> Outcome:
    shares = np.random.default_rng(seed).random((12, 9))
    farm = make_farm(make_hosts([4000.0] * 5, memory_mib, boot_s=90.0), make_vms([1000.0] * 9))
    return make_engine(farm, shares, control).run()


def test_columns_are_carried_out_without_a_list_of_them() -> None:
    # With memory for all, no move has to wait for room.
    with patch.object(ProposalColumns, "proposals", side_effect=AssertionError):
        outcome = play(InColumns(Chaos(1)), 1, 16384.0)
    assert (outcome.tables["decisions"]["source"] >= 0).any()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_same_is_carried_out(seed: int) -> None:
    here, there = play(Chaos(seed), seed), play(InColumns(Chaos(seed)), seed)
    assert here.words == there.words
    assert here.tables.keys() == there.tables.keys()
    for name, table in here.tables.items():
        for column, values in table.items():
            assert values.tobytes() == there.tables[name][column].tobytes(), (name, column)


@dataclass(frozen=True)
class Strange:
    """Propose columns that can never be right."""

    columns: ProposalColumns
    powers_down = False
    samples = 1

    def decide(self, view: FarmView) -> Plan:
        del view
        plan = Plan()
        propose_columns(plan, self.columns)
        return plan


InColumns.__module__ = Strange.__module__ = "farmsim.tests"
"""Farmsim's own policies are not guarded, so that their columns reach the actuator as they are."""


@pytest.mark.parametrize(
    ("vm", "source", "target", "message"),
    [
        ([9], [0], [1], "VM row 9 does not exist"),
        ([-1], [0], [1], "VM row -1 does not exist"),
        ([0], [0], [5], "host row 5 does not exist"),
        ([0], [0], [-2], "host row -2 does not exist"),
        ([0], [1], [2], "the source of"),
        ([0, 1, 0], [0, 0, 0], [1, 1, 2], "is moved twice"),
    ],
)
def test_columns_that_can_never_be_right_end_the_run(
    vm: list[int], source: list[int], target: list[int], message: str
) -> None:
    columns = ProposalColumns(np.array(vm), np.array(source), np.array(target), "strange")
    control = Strange(columns)
    farm = make_farm(make_hosts([4000.0] * 5, 4096.0, boot_s=90.0), make_vms([1000.0] * 9))
    with pytest.raises(PlanError, match=message):
        make_engine(farm, np.full((3, 9), 0.1), control).run()
