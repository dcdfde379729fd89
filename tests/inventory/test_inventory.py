"""Inventories: scope, identity, names of clusters, farms told apart."""

import pytest
from inventories import codes

from farmsim.scenarios.inventory.cluster_names import tell_clusters_apart
from farmsim.scenarios.inventory.cluster_totals import cluster_totals
from farmsim.scenarios.inventory.cpu_estimates import cpu_estimates
from farmsim.scenarios.inventory.identity import Identities, VmIds
from farmsim.scenarios.inventory.inventory import Cluster, Host, Inventory, Scope, Vm
from farmsim.scenarios.inventory.join_checks import join_findings
from farmsim.scenarios.inventory.same_farm import overlap
from farmsim.scenarios.inventory.scope import excluded, set_scopes


def host(name: str, cluster: str | None = "C", **more: object) -> Host:
    known = {"cores": 16, "threads": 32, "clock_mhz": 2600.0, "memory_mib": 131_072.0}
    return Host(name, f"row of {name}", cluster, **{**known, **more})  # type: ignore[arg-type]


def vm(name: str, on: str | None = "h1", cluster: str | None = "C", **more: object) -> Vm:
    known = {"vcpus": 2, "memory_mib": 4096.0, "power_state": "poweredOn"}
    return Vm(name, name, f"row of {name}", cluster, on, **{**known, **more})  # type: ignore[arg-type]


def test_each_vm_is_in_the_first_class_that_applies() -> None:
    vms = [
        vm("t", template=True, placeholder=True, power_state="poweredOff"),
        vm("p", placeholder=True, power_state="poweredOff"),
        vm("vCLS-7a79df77-7a4b-5a31-937f-d9b1617dff9d", power_state="suspended"),
        vm("vCLS (12)"),
        vm("vCLSomething"),
        vm("NSX-edge-01"),
        vm("o", connection_state="orphaned", power_state="suspended"),
        vm("s", power_state="Suspended"),
        vm("off", power_state="Powered Off", disk_mib=2048.0),
        vm("c", container=True),
        vm("on"),
        vm("odd", power_state="dreaming"),
    ]
    inventory = Inventory(hosts=[host("h1")], vms=vms)
    set_scopes(inventory, system=["nsx-*", "nothing-*"])
    assert [each.scope.value for each in inventory.vms] == [
        "template", "srm_placeholder", "system_vm", "system_vm", "in_plan", "system_vm", "orphaned",
        "suspended", "powered_off", "container", "in_plan", "in_plan",
    ]  # fmt: skip
    assert sum(excluded(inventory).values()) + len(inventory.in_plan) == len(vms)
    assert codes(inventory) == {"VM_EXCLUDED", "POWER_STATE_UNKNOWN", "PATTERN_WITHOUT_VM"}
    assert "2 GiB of disk" in inventory.findings[0].message
    set_scopes(inventory, include=[Scope.POWERED_OFF, Scope.SUSPENDED])
    assert {each.name for each in inventory.in_plan} >= {"off", "s", "on"}


def test_the_strongest_identity_is_used_and_nothing_is_overwritten() -> None:
    ids = [
        VmIds("a", "C", "h1", vm_id="vm-1", vm_uuid="U1", server_uuid="S"),
        VmIds("a", "C", "h1", vm_id="vm-2", vm_uuid="u1", server_uuid="S"),
        VmIds("a", "D", "h2", vm_id="vm-3", vm_uuid="u3", server_uuid="S"),
        VmIds("b"),
        VmIds("b"),
        VmIds("a (D)"),
    ]
    found = Identities(ids)
    assert found.identity == "vm_uuid"
    keys = found.keys()
    assert keys == ["a (vm-1)", "a (vm-2)", "a (D, h2)", "b #1", "b #2", "a (D)"]
    assert {each.code for each in found.findings()} == {"VM_UUID_NOT_UNIQUE", "VM_NAME_NOT_UNIQUE"}
    assert found.find(VmIds("renamed", vm_uuid="U3", server_uuid="S")) == 2
    assert found.find(VmIds("a", vm_uuid="u1", vm_id="vm-2", server_uuid="S")) == 1
    assert found.find(VmIds("a", "D", "h2")) == 2
    assert found.find(VmIds("b")) is None
    assert found.source_id(0) == "S/u1"
    assert found.source_id(3) is None
    assert Identities([]).identity == "name"


def test_clusters_of_one_name_in_two_datacentres_are_two() -> None:
    inventory = Inventory(
        hosts=[host("h1", datacentre="North"), host("h2", datacentre="South"), host("h3", "Other")],
        vms=[vm("a", "h1", datacentre="North"), vm("b", "h2"), vm("c", "h3", "Other")],
        clusters=[Cluster("C", "row"), Cluster("Other", "row")],
    )
    tell_clusters_apart(inventory)
    assert [each.cluster for each in inventory.hosts] == ["C (North)", "C (South)", "Other"]
    assert [each.cluster for each in inventory.vms] == ["C (North)", "C (South)", "Other"]
    assert [each.name for each in inventory.clusters] == ["Other"]
    assert codes(inventory) == {"CLUSTER_NAME_NOT_UNIQUE"}
    assert [each.name for each in cluster_totals(inventory)] == ["C (North)", "C (South)", "Other"]


def test_one_cluster_stays_one_where_only_some_rows_name_the_datacentre() -> None:
    inventory = Inventory(
        hosts=[host("h1", datacentre="North", site="vc"), host("h2", datacentre="North")],
        vms=[vm("a", "h1"), vm("b", "h9")],
    )
    tell_clusters_apart(inventory)
    assert {each.cluster for each in inventory.hosts} == {"C"}
    assert inventory.findings == []


def test_hosts_of_one_name_are_joined_by_their_server() -> None:
    hosts = [host("H1", "A", site="one"), host("h1", "B", site="two")]
    vms = [vm("a", "h1", "A", site="one"), vm("b", "H1", "B", site="two")]
    inventory = Inventory(hosts=hosts, vms=vms)
    set_scopes(inventory)
    assert "HOST_NAME_NOT_UNIQUE" in {each.code for each in join_findings(inventory)}
    assert [each.vms_in_plan for each in cluster_totals(inventory)] == [1, 1]
    assert all(each.reason == "" for each in cluster_totals(inventory))


def test_what_is_unknown_gives_no_figure() -> None:
    unknown = host("h2", memory_mib=None)
    inventory = Inventory(hosts=[host("h1"), unknown], vms=[vm("a"), vm("b", "h2")])
    set_scopes(inventory)
    (found,) = cluster_totals(inventory)
    assert found.memory_utilisation is found.memory_n1 is found.host_memory_mib is None
    assert "h2" in found.reason
    assert "HOST_SIZE_UNKNOWN" in {each.code for each in join_findings(inventory)}
    single = Inventory(hosts=[host("h1")], vms=[vm("a")])
    assert cluster_totals(single)[0].memory_n1 is None
    assert cluster_totals(single)[0].cpu_utilisation is None
    assert cluster_totals(Inventory()) == []


def test_use_of_vms_on_missing_hosts_is_estimated_from_their_cluster_else_from_all() -> None:
    inventory = Inventory(
        hosts=[host("h1", cpu_used_mhz=1000.0), host("h2", "D", cpu_used_mhz=600.0)],
        vms=[vm("a"), vm("b", "h9", vcpus=3), vm("c", "h2", "D", vcpus=6), vm("d", "h8", "E")],
    )
    own, foreign = cpu_estimates(inventory)
    assert (own.cluster, own.cpu_mhz, own.foreign) == ("C", 1500.0, False)
    assert (foreign.cluster, foreign.cpu_mhz, foreign.foreign) == ("E", 400.0, True)
    nothing = Inventory(hosts=[host("h1")], vms=[vm("b", "h9")])
    assert cpu_estimates(nothing)[0].cpu_mhz is None


@pytest.mark.parametrize(
    ("use", "told"), [(6_000.0, False), (9_500.0, True), (4_000.0, True), (None, False)]
)
def test_vms_use_what_their_host_uses(use: float | None, told: bool) -> None:
    busy = host("h1", cpu_used_mhz=41_600 * 0.2)
    inventory = Inventory(hosts=[busy], vms=[vm("a", cpu_used_mhz=use)])
    found = {each.code for each in join_findings(inventory)}
    assert ("CPU_BY_VM_DISAGREES" in found) is told


def test_farms_are_told_apart_by_hosts_and_vms() -> None:
    first = Inventory(hosts=[host("h1"), host("h2")], vms=[vm("a"), vm("b")])
    later = Inventory(hosts=[host("H1"), host("h2"), host("h3")], vms=[vm("c")])
    other = Inventory(hosts=[host("x1"), host("x2")], vms=[vm("a")])
    assert overlap(first, later).same_farm is True
    assert overlap(first, other).same_farm is False
    assert overlap(first, Inventory(vms=[vm("b")])).same_farm is True
    assert overlap(first, Inventory()).same_farm is None
