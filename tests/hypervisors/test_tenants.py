"""Tenants: nobody's energy is lost, sharing is mutual, dedicated hosts have one tenant."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.models.base.cost import JOULE_PER_KWH
from farmsim.models.service.energy_attribution import IDLE_RULES
from farmsim.scenarios.build.build import build
from farmsim.scenarios.scenario import Scenario
from farmsim.sim.outcome import Outcome

NAMES = ("a", "b", "c")


def scenario(
    counts: tuple[int, ...] = (5, 4, 3), dedicated: tuple[str, ...] = (), **changes: Any
) -> dict[str, Any]:
    """A farm of three tenants and of VMs of nobody, consolidated; some have hosts of their own."""
    server = {"server": "hp_ml110_g5", "memory": "16 GiB", "hypervisor": "kvm", "off_power": "3 W"}
    groups: list[dict[str, Any]] = [{"name": "shared", "count": 16, **server}]
    groups += [{"name": name, "count": 16, "tenant": name, **server} for name in dedicated]
    return {
        "run": {"duration": "2 h"},
        "farm": {"hosts": groups},
        "tenants": [
            {"name": name, "isolation": "dedicated" if name in dedicated else "shared"}
            for name in NAMES
        ],
        "workload": {
            "source": {"type": "synthetic"},
            "size_order": "cycle",
            "sizes": [
                {"name": name, "vcpus": 1, "clock": "2 GHz", "memory": "2 GiB", "count": count}
                | ({"tenant": name} if name in NAMES else {})
                for name, count in zip((*NAMES, "free"), (*counts, 2), strict=True)
            ],
        },
        "policies": {"control": "consolidation", "initial": {"cpu_overcommit": 3}},
        "baseline": {"type": "none"},
    } | changes


def outcome_of(written: dict[str, Any]) -> Outcome:
    return build(Scenario.of(written)).engine.run()


@pytest.mark.parametrize("rule", sorted(IDLE_RULES))
@pytest.mark.parametrize("interference", [False, True])
def test_energy_of_tenants_and_what_nobody_used_add_up_to_the_farms(
    rule: str, interference: bool
) -> None:
    service = {"idle_energy_by": rule, "interference": interference}
    outcome = outcome_of(scenario(service=service))
    ledger = outcome.accounts.tenants
    assert ledger is not None
    farm_j = float(outcome.farm.accounts.totals[0].sum())
    assert ledger.energy_j.sum() + ledger.unused_j == pytest.approx(farm_j, rel=1e-9)
    assert np.all(ledger.energy_j > 0)
    assert ledger.unused_j > 0


def test_the_table_of_tenants_adds_up_to_the_energy_of_the_farm() -> None:
    result = farmsim.run(scenario())
    rows = result.table("tenants").to_pylist()
    assert [row["tenant"] for row in rows] == [*NAMES, "nobody", "hosts without VMs"]
    assert rows[-1]["energy_kwh"] > 0
    assert rows[-1]["vms"] == rows[-1]["cost"] == 0
    total_kwh = result.summary["energy_kwh"]["value"]
    assert sum(row["energy_kwh"] for row in rows) == pytest.approx(total_kwh, rel=1e-9)


@given(
    counts=st.tuples(*[st.integers(1, 8)] * 3),
    dedicated=st.sets(st.sampled_from(NAMES)),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=15)
def test_who_is_dedicated_shares_with_nobody_and_sharing_is_mutual(
    counts: tuple[int, ...], dedicated: set[str], seed: int
) -> None:
    outcome = outcome_of(scenario(counts, tuple(sorted(dedicated)), seed=seed))
    ledger, vms = outcome.accounts.tenants, outcome.farm.vms
    assert ledger is not None
    hours = ledger.shared_host_s
    assert np.array_equal(hours, hours.T)
    assert np.all(hours <= np.diag(hours)[:, None])
    for row, name in enumerate(NAMES):
        if name not in dedicated:
            continue
        assert np.all(np.delete(hours[row], row) == 0)
        assert np.all(ledger.co_tenant_s[ledger.owner == row] == 0)
        hosts = set(vms.host[ledger.owner == row].tolist())
        assert not hosts & set(vms.host[ledger.owner != row].tolist())
        moves = outcome.tables["migrations"]
        mine = ledger.owner[moves["vm"]] == row
        target = outcome.farm.hosts.group[moves["target"][mine]]
        assert {outcome.farm.hosts.group_names[group] for group in target.tolist()} <= {name}


def test_hours_shared_by_hand() -> None:
    """Six VMs of a and b on three hosts that nothing leaves: two of each pair, for two hours."""
    written = scenario((3, 3, 0), policies={"initial": {"placement": "round_robin"}})
    written["workload"]["sizes"] = written["workload"]["sizes"][:2]
    written["tenants"] = written["tenants"][:2]
    written["farm"]["hosts"][0]["count"] = 3
    result = farmsim.run(written)
    hosts = result.table("vms").to_pandas().groupby("last_host")["tenant"].agg(set)
    together = sum(found == {"a", "b"} for found in hosts)
    table = result.table("tenants").to_pandas().set_index("tenant")
    assert together == 3
    assert table.loc["a", "shared_with"] == "b 6.0 h"
    assert table.loc["b", "shared_with"] == "a 6.0 h"
    assert result.value("co_tenants") == 1.0


def test_table_of_tenants_is_that_of_vms_summed() -> None:
    written = scenario()
    for size in written["workload"]["sizes"]:
        size["class"] = "web"
    result = farmsim.run(written)
    vms, tenants = (result.table(name).to_pandas() for name in ("vms", "tenants"))
    vms["tenant"] = vms["tenant"].astype(str).replace("", "nobody")
    groups = vms.groupby("tenant")
    tenants = tenants.set_index("tenant")
    assert tenants.index.tolist() == [*NAMES, "nobody", "hosts without VMs"]
    assert tenants["vms"].to_dict() == groups.size().to_dict() | {"hosts without VMs": 0}
    for name, of_mine in groups:
        row = tenants.loc[name]
        assert row["co_tenants"] == pytest.approx(of_mine["co_tenants"].mean())
        assert row["exposure_max"] == of_mine["exposure"].max()
        requests = of_mine["requests"]
        mean = (of_mine["response_mean_ms"] * requests).sum() / requests.sum()
        assert row["response_mean_ms"] == pytest.approx(mean)
        assert row["response_p95_ms"] >= row["response_mean_ms"]
    assert tenants["cost"].sum() == pytest.approx(result.value("total_cost"))


def test_interference_is_none_where_nobody_else_is() -> None:
    written = scenario((1, 1, 1), policies={"initial": {"placement": "round_robin"}})
    for size in written["workload"]["sizes"]:
        size["class"] = "memory_bound"
        size["count"] = 1
    quiet = farmsim.run(written)
    loud = farmsim.run(written | {"service": {"interference": True}})
    for metric in ("response_mean_ms", "response_p99_ms", "energy_kwh"):
        assert loud.value(metric) == pytest.approx(quiet.value(metric), rel=1e-12)


def test_neighbours_lengthen_response_times_before_the_cpu_is_full() -> None:
    written = scenario(policies={"initial": {"placement": "best_fit_decreasing"}})
    written["farm"]["hosts"][0] |= {"server": "dell_r720_e5_2670", "memory": "64 GiB"}
    written["workload"]["source"] = {"type": "constant", "utilisation": 0.3}
    for size in written["workload"]["sizes"]:
        size["class"] = "memory_bound"
    quiet = farmsim.run(written)
    loud = farmsim.run(written | {"service": {"interference": True}})
    assert loud.value("unserved_share") == quiet.value("unserved_share") == 0
    assert loud.value("response_mean_ms") > 1.01 * quiet.value("response_mean_ms")


def test_energy_in_the_table_is_what_the_ledger_has() -> None:
    outcome = outcome_of(scenario())
    ledger = outcome.accounts.tenants
    assert ledger is not None
    result = farmsim.run(scenario())
    table = result.table("tenants")["energy_kwh"].to_numpy()
    # Without what hosts drew at rest that are not paid for.
    uncounted_j = result.value("energy_excluded_kwh") * JOULE_PER_KWH
    expected_j = [*ledger.energy_j, ledger.unused_j - uncounted_j]
    assert table * JOULE_PER_KWH == pytest.approx(expected_j)
    assert outcome.end_s == 7200
