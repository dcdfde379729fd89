"""The arrays of planning that a scenario gives, and what its limits may be."""

from typing import Any

import numpy as np
import pytest

import farmsim
from farmsim.analysis.planning.planned_farm import plan_of
from farmsim.models.sizing.limits import Limits
from farmsim.scenarios.errors.problems import InputError

SERVER = {
    "cores": 32, "sockets": 2, "clock": "2 GHz", "memory": "256 GiB",
    "power": {"model": "linear", "idle": "100 W", "max": "300 W"},
}  # fmt: skip


def scenario(**changes: Any) -> farmsim.Scenario:
    """Two clusters: Alpha with 3 hosts, 10 web and 2 db VMs, Beta with 2 hosts and 5 VMs."""
    data = {
        "name": "two-clusters",
        "run": {"duration": "1 h"},
        "farm": {
            "hosts": [
                {"name": "alpha", "server": SERVER, "count": 3},
                {"name": "beta", "server": SERVER, "count": 2, "hypervisor": "esxi"},
            ],
            "clusters": [
                {"name": "Alpha", "hosts": ["alpha"]},
                {"name": "Beta", "hosts": ["beta"]},
            ],
        },
        "workload": {
            "source": {"type": "constant", "utilisation": "50 %"},
            "size_order": "blocks",
            "sizes": [
                {"name": "web", "vcpus": 4, "clock": "2 GHz", "memory": "16 GiB", "count": 10,
                 "cluster": "Alpha"},
                {"name": "db", "vcpus": 8, "clock": "2 GHz", "memory": "64 GiB", "count": 2,
                 "cluster": "Alpha"},
                {"name": "small", "vcpus": 1, "clock": "1 GHz", "memory": "4 GiB", "count": 5,
                 "cluster": "Beta"},
            ],
        },
        "policies": {"initial": {"cpu_overcommit": 4}},
        "constraints": [
            {"type": "apart", "name": "db", "sizes": ["db"]},
            {"type": "fence", "name": "licence", "vms": ["vm-01", "vm-02"],
             "hosts": ["alpha-1", "alpha-2"]},
            {"type": "together", "name": "pair", "vms": ["vm-03", "vm-04"]},
            {"type": "lonely", "name": "alone", "vms": ["vm-17"], "penalty": 3},
        ],
    }  # fmt: skip
    return farmsim.Scenario.of(data | changes)


def test_each_cluster_has_its_own_vms_hosts_and_rules() -> None:
    plan, _ = plan_of(scenario())
    alpha, beta = plan.clusters
    assert [cluster.name for cluster in plan.clusters] == ["Alpha", "Beta"]
    assert (len(alpha.farm.vms), len(alpha.farm.hosts)) == (12, 3)
    assert (len(beta.farm.vms), len(beta.farm.hosts)) == (5, 2)
    # 10 of 4 vCPUs and 16 GiB, 2 of 8 and 64; half of 56 x 2 GHz.
    assert alpha.farm.vms.needs().sum(axis=0).tolist() == pytest.approx([288 * 1024, 56, 56_000])
    assert alpha.farm.hosts.amounts().tolist() == [[256 * 1024, 32, 64_000]] * 3
    # The hypervisor keeps memory and CPU for itself, and memory for each VM.
    memory, cores, cpu = beta.farm.hosts.amounts()[0]
    assert memory < 256 * 1024
    assert cores == 32
    assert cpu < 64_000
    assert (beta.farm.vms.memory_mib > 4 * 1024).all()
    assert [(rule.name, rule.vms.tolist()) for rule in alpha.farm.spread] == [("db", [10, 11])]
    assert [rule.tolist() for rule in alpha.farm.together] == [[2, 3]]
    place_class, places = alpha.farm.open_hosts()
    assert places[place_class[0]].tolist() == [True, True, False]
    assert places[place_class[5]].all()
    assert (alpha.farm.home == -1).all()
    assert plan.levels == []


def test_the_cpu_need_is_the_95th_percentile_of_the_sum() -> None:
    plan, case = plan_of(scenario(workload={"source": "planetlab-20110303", "vms": 50},
                                  farm={"hosts": [{"name": "h", "server": SERVER, "count": 9}]},
                                  constraints=[]))  # fmt: skip
    (cluster,) = plan.clusters
    demand = case.load.new_demand()
    sums = np.sort([demand.batch(range(slot, slot + 1)).of(slice(None)).sum()
                    for slot in range(288)])  # fmt: skip
    # Nearest rank: of 288 values the 274th.
    assert plan.cpu_p95_mhz == pytest.approx(sums[273])
    assert cluster.farm.vms.cpu_mhz is not None
    assert cluster.farm.vms.cpu_mhz.sum() == pytest.approx(sums[273])
    assert cluster.name == "farm"


def test_the_reserve_is_as_planned_else_as_kept_else_one() -> None:
    def reserves(**changes: Any) -> list[int]:
        plan, _ = plan_of(scenario(**changes))
        return [cluster.reserve for cluster in plan.clusters]

    kept = {"initial": {"cpu_overcommit": 4}, "reserve": {"kind": "hosts", "hosts": 2}}
    assert reserves() == [1, 1]
    assert reserves(policies=kept) == [2, 2]
    assert reserves(policies=kept, planning={"reserve": 0}) == [0, 0]
    plan, _ = plan_of(scenario(), reserve=2)
    assert plan.clusters[0].reserve == 2


def test_limits_say_whether_they_are_defaults() -> None:
    plan, _ = plan_of(scenario(planning={"vcpus_per_core": 8, "incomplete_clusters": ["Beta"]}))
    assert plan.limits == Limits(vcpus_per_core=8, vcpus_per_core_failure=8)
    assert plan.basis["vcpus_per_core"] == "yours"
    assert plan.basis["cpu"] == "default"
    assert [cluster.incomplete for cluster in plan.clusters] == [False, True]


@pytest.mark.parametrize(
    ("planning", "place", "words"),
    [
        ({"reserve": 3}, "planning.reserve", "2"),
        ({"cpu": 0.8, "cpu_two_failures": "75 %"}, "planning.cpu_two_failures",
         "0.75 is below cpu, 0.8"),
        ({"vcpus_per_core_failure": 3}, "planning.vcpus_per_core_failure",
         "3 is below vcpus_per_core, 4"),
        ({"memory": "110 %"}, "planning.memory", "must be at most 1"),
        ({"min_hosts": 0}, "planning.min_hosts", "1"),
        ({"incomplete_clusters": ["Alhpa"]}, "planning.incomplete_clusters.0",
         "there is no cluster 'Alhpa'; did you mean Alpha?"),
    ],
)  # fmt: skip
def test_wrong_limits_are_refused_at_their_place(
    planning: dict[str, Any], place: str, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        scenario(planning=planning)
    (problem,) = caught.value.problems
    assert problem.field == place
    assert words in str(problem)


def test_vms_that_come_and_go_cannot_be_planned() -> None:
    with pytest.raises(InputError, match="arrive and depart"):
        plan_of(farmsim.Scenario.load("library/public-cloud"))
    with pytest.raises(InputError, match="members of applications that scale"):
        plan_of(farmsim.Scenario.load("library/black-friday"))
