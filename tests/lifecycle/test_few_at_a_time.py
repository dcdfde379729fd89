"""VMs handled a few at a time, number by number: results are those of the verbs on arrays."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from all_results import all_results
from farm_draws import Mapping, farms, host_group, scenario
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.models.base.arrays import Floats
from farmsim.models.farm import few_vms
from farmsim.models.farm.few_vms import FewVms
from farmsim.sim.lifecycle import admission, few_lives
from farmsim.sim.lifecycle.unmet_needs import UnmetNeeds

LESS = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ADMISSIONS: list[Mapping] = [
    {},
    {"max_queue": 4},
    {"max_wait": "7 min", "retries": 1},
    {"max_queue": 3, "max_wait": "4 min"},
]


def lives() -> st.SearchStrategy[Mapping]:
    """Return a strategy of choices for :func:`coming_and_going`."""
    return st.fixed_dictionaries(
        {
            "seed": st.integers(0, 10**6),
            "vms": st.integers(30, 120),
            "hosts": st.integers(1, 4),
            "together": st.booleans(),
            "priorities": st.booleans(),
            "hypervisor": st.sampled_from(["ideal", "ideal", "esxi", "kvm"]),
            "placement": st.sampled_from(["best_fit", "first_fit", "worst_fit"]),
            "overcommit": st.sampled_from([1, 1.7]),
            "admission": st.sampled_from(ADMISSIONS),
            "control": st.sampled_from(
                ["none", "none", {"policy": "consolidation"}, {"policy": "dynamic_power"}]
            ),
            "reported": st.sampled_from(["10 min", "1 h"]),
        }
    )


def rows_of(*columns: Any) -> Iterator[tuple[float, ...]]:
    """Yield columns of equal length row by row."""
    return zip(*(each.tolist() for each in columns), strict=True)


def coming_and_going(drawn: Mapping, folder: Path) -> Mapping:
    """Return the scenario of VMs that come to a small farm at any instant, or several at once."""
    rng = np.random.default_rng(drawn["seed"])
    count = drawn["vms"]
    arrival_s: Floats = rng.uniform(0, 9000, (count,))
    lifetime_s: Floats = rng.exponential(2500.0, (count,)) + 1.0
    arrival_s[: count // 10] = 0.0
    if drawn["together"]:
        arrival_s, lifetime_s = np.round(arrival_s, -2), np.round(lifetime_s, -2) + 100
    vcpus = rng.choice([1, 2, 4], count)
    memory_gib = vcpus * rng.choice([1.1, 2.3], count)
    use = rng.choice([10.7, 60.1, 99.3, 100.0], count)
    priority = rng.integers(0, 3, count) if drawn["priorities"] else np.zeros(count, int)
    columns = (np.sort(arrival_s), lifetime_s, vcpus, memory_gib, use, priority)
    rows = [",".join(map(repr, row)) for row in rows_of(*columns)]
    header = "arrival,lifetime,vcpus,memory,utilisation,priority"
    (folder / "vms.csv").write_text("\n".join([header, *rows]) + "\n")
    groups = [
        host_group(
            name, drawn["hosts"], drawn["hypervisor"], **({"memory": "9.7 GiB"} if odd else {})
        )
        for odd, name in enumerate("xy")
    ]
    return {
        "name": "drawn",
        "run": {"duration": "3 h", "report_every": drawn["reported"], "host_series": True},
        "farm": {"hosts": groups},
        "workload": {"arrivals": {"type": "table", "path": "vms.csv", "clock": "1.9 GHz"}},
        "policies": {
            "initial": {
                "placement": drawn["placement"], "cpu_overcommit": drawn["overcommit"],
                "unplaced": "reject",
            },
            "control": drawn["control"],
        },
        "admission": drawn["admission"],
        "baseline": {"type": "none"},
    }  # fmt: skip


def by_arrays(patch: pytest.MonkeyPatch) -> None:
    """Let all be done by the verbs on arrays, and let all who wait be searched for."""
    for module in (few_vms, few_lives, admission):
        patch.setattr(module, "FEW", 0)
    patch.setattr(UnmetNeeds, "is_known", lambda *_: False)


def played(made: Mapping, folder: Path) -> dict[str, Any]:
    return all_results(farmsim.run(farmsim.Scenario.of(made, folder)))


@LESS
@given(drawn=lives())
def test_lives_are_the_same(drawn: Mapping, tmp_path: Path) -> None:
    made = coming_and_going(drawn, tmp_path)
    here = played(made, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        by_arrays(patch)
        there = played(made, tmp_path)
    assert here == there


@LESS
@given(drawn=farms(arrivals=st.just(True)))
def test_farms_with_every_feature_are_the_same(drawn: Mapping, tmp_path: Path) -> None:
    made = scenario(drawn, tmp_path)
    here = played(made, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        by_arrays(patch)
        there = played(made, tmp_path)
    assert here == there


def test_numbers_are_used_where_they_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: dict[str, list[bool]] = {"place": [], "retire": []}
    for verb, log in done.items():
        kept = getattr(FewVms, verb)

        def noting(self: FewVms, *args: Any, _log: Any = log, _kept: Any = kept) -> bool:
            _log.append(_kept(self, *args))
            return bool(_log[-1])

        monkeypatch.setattr(FewVms, verb, noting)
    drawn = {
        "seed": 1, "vms": 60, "hosts": 4, "together": True, "priorities": True,
        "hypervisor": "ideal", "placement": "best_fit", "overcommit": 1, "admission": {},
        "control": "none", "reported": "1 h",
    }  # fmt: skip
    played(coming_and_going(drawn, tmp_path), tmp_path)
    assert sum(done["place"]) > 30
    assert sum(done["retire"]) > 20
