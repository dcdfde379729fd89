"""Hypervisors, request classes and tenants in the language: each fault at its line."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import farmsim
from farmsim.analysis.run.result import Result
from farmsim.models.hypervisor.profiles import profiles
from farmsim.policies.control.control import NoControl, PowerProportional, migrates_vms
from farmsim.scenarios.catalogue_listing import entries, text_of
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.scenario import Scenario, dump, from_text
from farmsim.scenarios.variants import check

BASE = """farmsim: 1
tenants: [TENANTS]
overheads: typical
service: {sharing: shares}
policies: {control: none}
farm:
  hosts:
    - {name: a, server: dell_r740_8280, count: 2, hypervisor: kvm}
    - {name: b, server: dell_r740_8280, count: 2, hypervisor: kvm}
workload:
  source: {type: constant, utilisation: 10 %}
  vms: 4
  sizes:
    - {name: s, vcpus: 1, clock: 1 GHz, memory: 1 GiB}
"""


def written(changes: Mapping[str, str]) -> str:
    """Return the scenario with texts replaced, once each, tenants last."""
    text = BASE
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new, 1)
    return text.replace("TENANTS", "")


def problems(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        from_text(text, "s.yaml")
    return [str(problem) for problem in caught.value.problems]


A = "name: a, server: dell_r740_8280, count: 2, hypervisor: kvm"
B = "name: b, server: dell_r740_8280, count: 2, hypervisor: kvm"
S = "name: s, vcpus: 1, clock: 1 GHz, memory: 1 GiB"
HOST = "s.yaml:8:", "farm.hosts.0"
SIZE = "s.yaml:14:", "workload.sizes.0"


def group(text: str) -> dict[str, str]:
    return {A: f"name: a, count: 2, {text}"}


def hypervisor(text: str) -> dict[str, str]:
    return group(f"server: dell_r740_8280, hypervisor: {text}")


FAULTS: dict[str, tuple[dict[str, str], tuple[str, str], str, tuple[str, ...]]] = {
    "profile without its assistance": (
        group("server: hp_ml110_g5, hypervisor: hyper_v"), HOST, ".hypervisor",
        ("hyper_v needs nested_paging, which hp_ml110_g5 lacks (it has vt_x)", "kvm, xen",
         "list it under assists"),
    ),
    "assistance taken away": (
        hypervisor("kvm, assists: []"), HOST, ".hypervisor", ("needs vt_x", "it has none"),
    ),
    "path without its assistance": (
        group("server: dell_r710_x5570, hypervisor: kvm, network_path: passthrough"), HOST,
        ".network_path", ("needs sr_iov", "paths that do: paravirtual, emulated"),
    ),
    "path that the profile does not have": (
        hypervisor("workstation, storage_path: passthrough"), HOST, ".storage_path",
        ("no storage path of workstation 'passthrough'", "available: paravirtual, emulated"),
    ),
    "gain without threads": (
        group("server: hp_ml110_g5, smt_gain: 20 %"), HOST, ".smt_gain",
        ("one thread per core", "simultaneous multithreading gains nothing"),
    ),
    "applications on a type-1 hypervisor": (
        hypervisor("kvm, host_applications: 10 %"), HOST, ".host_applications",
        ("kvm is of kind type1", "virtualbox, workstation"),
    ),
    "applications without a hypervisor": (
        group("server: dell_r740_8280, host_applications: 10 %"), HOST, ".host_applications",
        ("ideal is of kind type1",),
    ),
    "overcommit on bare metal": (
        hypervisor("bare_metal, memory_overcommit: 1.5"), HOST, ".memory_overcommit",
        ("does not virtualise memory", "write 1"),
    ),
    "overcommit that nothing backs": (
        hypervisor("ideal, memory_overcommit: 1.5"), HOST, ".memory_overcommit",
        ("neither shares, balloons nor swaps",),
    ),
    "overcommit out of range": (
        hypervisor("kvm, memory_overcommit: 5"), HOST, ".memory_overcommit", ("at most 4",),
    ),
    "hypervisor larger than the host": (
        hypervisor("esxi, memory: 2 GiB"), HOST, ".memory",
        ("takes 2500 MiB for itself, but the host has only 2048 MiB", "more than 2500 MiB"),
    ),
    "hypervisor larger than the server": (
        group("server: hp_ml110_g5, hypervisor: {based_on: kvm, change: "
              "{memory.hypervisor_mib: 5000}}"),
        HOST, ".hypervisor", ("takes 6000 MiB for itself, but the host has only 4096 MiB",),
    ),
    "unknown hypervisor": (hypervisor("kvn"), HOST, ".hypervisor", ("did you mean kvm?",)),
    "unknown base": (
        hypervisor("{based_on: kvn}"), HOST, ".hypervisor.based_on", ("did you mean kvm?",),
    ),
    "unknown figure": (
        hypervisor("{based_on: kvm, change: {cpu: {plian: 0.9}}}"), HOST,
        ".hypervisor.change.cpu", ("no field 'plian'; did you mean plain?",),
    ),
    "unknown dotted figure": (
        hypervisor("{based_on: kvm, change: {cpu.plian: 0.9}}"), HOST, ".hypervisor.change",
        ("did you mean plain?",),
    ),
    "unknown path": (
        hypervisor("{based_on: kvm, change: {storage: {teleport: {latency_us: 1}}}}"), HOST,
        ".hypervisor.change.storage", ("no part 'teleport'; known: native",),
    ),
    "figure out of range": (
        hypervisor("{based_on: kvm, change: {cpu: {plain: 1.9}}}"), HOST,
        ".hypervisor.change.cpu.plain", ("1.9 is out of bounds", "at most 1"),
    ),
    "bounds out of order": (
        hypervisor("{based_on: kvm, change: {cpu: {plain: {low: 1, typical: 0.5}}}}"), HOST,
        ".hypervisor.change.cpu.plain", ("not in ascending order",),
    ),
    "type 1 that would take applications": (
        hypervisor("{based_on: kvm, change: {allows_host_applications: true}}"), HOST,
        ".hypervisor.change", ("kvm is of kind type1", "type2, emulation"),
    ),
    "unknown class": ({S: f"{S}, class: wbe"}, SIZE, ".class", ("did you mean web?",)),
    "class out of range": (
        {S: f"{S}, class: {{cpu: 5 ms, exits: -1}}"}, SIZE, ".class.exits", ("at least 0",),
    ),
    "class share out of range": (
        {S: f"{S}, class: {{cpu: 5 ms, mmu_share: 120 %}}"}, SIZE, ".class.mmu_share",
        ("at most 1",),
    ),
    "class without work": ({S: f"{S}, class: {{exits: 1}}"}, SIZE, ".class.cpu", ("missing",)),
    "class shares beyond all": (
        {S: f"{S}, class: {{cpu: 5 ms, mmu_share: 0.7, vector_share: 0.7}}"}, SIZE, ".class",
        ("exceed 1 together",),
    ),
    "unknown field of a class": (
        {S: f"{S}, class: {{cpu: 5 ms, cache_presure: 1}}"}, SIZE, ".class.cache_presure",
        ("did you mean cache_pressure?",),
    ),
    "reservation above the VM's own CPU": (
        {S: f"{S}, reservation: 2 GHz"}, SIZE, ".reservation", ("reserve at most 1 GHz",),
    ),
    "limit below the reservation": (
        {S: f"{S}, reservation: 500 MHz, limit: 400 MHz"}, SIZE, ".limit",
        ("less than the reservation, 500 MHz",),
    ),
    "unknown tenant of a size": (
        {S: f"{S}, tenant: x"}, SIZE, ".tenant", ("define it under tenants:",),
    ),
    "unknown tenant of hosts": (
        {"TENANTS": "{name: bank}", A: f"{A}, tenant: bnak"}, HOST, ".tenant",
        ("did you mean bank?",),
    ),
    "two tenants of one name": (
        {"TENANTS": "{name: x}, {name: x}"}, ("s.yaml:2:", "tenants.1"), ".name",
        ("the name of two tenants",),
    ),
    "dedicated tenant with nowhere to go": (
        {"TENANTS": "{name: x, isolation: dedicated}", S: f"{S}, tenant: x"},
        ("s.yaml:2:", "tenants.0"), ".isolation",
        ("no group is dedicated to it", "write tenant: x at a group"),
    ),
    "shared tenant with nowhere to go": (
        {
            "TENANTS": "{name: x}, {name: y}", A: f"{A}, tenant: x", B: f"{B}, tenant: x",
            S: f"{S}, tenant: x}}\n    - {{name: z, clock: 1 GHz, tenant: y",
        },
        ("s.yaml:2:", "tenants.1"), ".name", ("dedicated to a tenant other than y",),
    ),
    "VMs of nobody with nowhere to go": (
        {
            "TENANTS": "{name: x}", A: f"{A}, tenant: x", B: f"{B}, tenant: x",
            S: f"{S}, tenant: x}}\n    - {{name: z, clock: 1 GHz",
        },
        ("s.yaml:15:", "workload.sizes.1"), "", ("VMs of size z have no tenant",),
    ),
    "hosts kept for nobody's VMs": (
        {"TENANTS": "{name: x}", A: f"{A}, tenant: x"}, HOST, ".tenant",
        ("no VM size belongs to x",),
    ),
    "passthrough and a policy that moves VMs": (
        {"none": "consolidation", A: f"{A}, storage_path: passthrough"}, HOST, ".storage_path",
        ("passthrough I/O does not support live migration", "none or power_proportional"),
    ),
    "no live migration and a policy that moves VMs": (
        {"none": "consolidation"} | hypervisor("workstation"), HOST, ".hypervisor",
        ("workstation does not support live migration", "policies.control consolidation"),
    ),
    "bare metal and a policy that moves VMs": (
        {"none": "consolidation"} | hypervisor("bare_metal"), HOST, ".hypervisor",
        ("cannot leave bare_metal in group a", "cannot migrate without conversion"),
    ),
    "hosts alone of their families and a policy that moves VMs": (
        {"none": "consolidation", A: A.replace("2,", "1,"),
         B: B.replace("kvm", "xen").replace("2,", "1,")},
        ("s.yaml:9:", "farm.hosts.1"), ".hypervisor",
        ("cannot leave xen in group b: xen and kvm differ, and conversion is none",
         "conversion: cold"),
    ),
    "a passthrough network and a policy that moves VMs": (
        {"none": "consolidation", A: f"{A}, network_path: passthrough"}, HOST, ".network_path",
        ("its passthrough device is not to be detached", "passthrough_migration: detach"),
    ),
    "a model that detaches nothing": (
        {"none": "consolidation",
         A: f"{A}, network_path: passthrough, passthrough_migration: detach"},
        HOST, ".network_path", ("fixed_rate does not detach passthrough devices",),
    ),
    "nothing to detach": (
        {A: f"{A}, passthrough_migration: detach"}, HOST, ".passthrough_migration",
        ("no passthrough device on the paravirtual path", "network_path: passthrough"),
    ),
    "a conversion of nothing": (
        {"none": "consolidation}\nconversion: {kind: cold", B: B.replace("kvm", "xen")},
        ("s.yaml:15:", "workload.sizes.0"), "", ("their disk, but have no disk",),
    ),
    "an unknown platform pair": (
        {"none": "consolidation}\nconversion: {kind: cold", S: f"{S}, disk: 1 GiB",
         B: B.replace("kvm", "{based_on: kvm, change: {family: abacus}}")},
        ("s.yaml:10:", "farm.hosts.1"), ".hypervisor",
        ("unknown platform abacus; known: ", "conversion: none"),
    ),
    "unknown conversion": (
        {"none": "none}\nconversion: {kind: hot"}, ("s.yaml:6:", "conversion"), "",
        ("there is no conversion 'hot'; available: none, cold, replicated",),
    ),
    "a figure that a conversion does not have": (
        {"none": "none}\nconversion: {kind: cold, guest_loss: 5 %"}, ("s.yaml:6:", "conversion"),
        ".guest_loss", ("unknown key",),
    ),
    "unknown baseline": (
        {A: f"{A}, cpu_baseline: haswel"}, HOST, ".cpu_baseline", ("write 'merom', 'penryn'",),
    ),
    "baseline of another vendor": (
        {A: f"{A}, cpu_baseline: zen"}, HOST, ".cpu_baseline",
        ("zen is amd's of 2017", "Intel Xeon Platinum 8280, published 2019", "cascade_lake"),
    ),
    "baseline of a later processor": (
        {A: f"{A}, cpu_baseline: ice_lake"}, HOST, ".cpu_baseline",
        ("ice_lake is intel's of 2021", "published 2019"),
    ),
    "baseline of one group only": (
        {A: f"{A}, cpu_baseline: haswell"}, ("s.yaml:9:", "farm.hosts.1"), "",
        ("group a has a cpu_baseline and b has none",),
    ),
    "unknown migration model of a group": (
        {A: f"{A}, migration: pre_cop"}, HOST, ".migration", ("did you mean pre_copy?",),
    ),
    "unknown migration model of a size": (
        {S: f"{S}, migration: {{model: pre_copy, max_round: 3}}"}, SIZE, ".migration.max_round",
        ("did you mean max_rounds?",),
    ),
    "VM larger than hypervisors allow": (
        {
            S: f"{S}}}\n    - {{name: big, vcpus: 9, clock: 1 GHz",
            A: A.replace("kvm", "xen_pv_2003"), B: B.replace("kvm", "esx_classic"),
        },
        ("s.yaml:15:", "workload.sizes.1"), "",
        ("size big (9 vCPUs of 1000 MHz, 4 GiB)", "xen_pv_2003) allows a VM 1 vCPUs and 4 GiB",
         "esx_classic) allows a VM 8 vCPUs"),
    ),
    "VM larger than hosts": (
        {
            S: f"{S}}}\n    - {{name: big, vcpus: 60, clock: 3 GHz",
            A: f"{A}, memory: 4 GiB",
        },
        ("s.yaml:15:", "workload.sizes.1"), "",
        ("group a (dell_r740_8280, kvm) has 3.023 GiB for VMs of the 4.3",
         "group b (dell_r740_8280, kvm) has 151200 MHz to allocate", "unplaced: reject"),
    ),
    "VM larger than the hosts of its tenant": (
        {
            "TENANTS": "{name: x, isolation: dedicated}", A: f"{A}, memory: 4 GiB, tenant: x",
            S: f"{S.replace('1 GiB', '8 GiB')}, tenant: x",
        },
        SIZE, "", ("group a (dell_r740_8280, kvm) has 3.023 GiB", "is dedicated to another tenant"),
    ),
    "reservations beyond all hosts": (
        {
            "vms: 4": "vms: 8",
            S: "name: s, vcpus: 50, clock: 2.5 GHz, memory: 1 GiB, reservation: 125 GHz",
        },
        ("s.yaml:13:", "workload.sizes"), "",
        ("sum to 1e+06 MHz", "all hosts together have 598752 MHz"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "place", "field", "messages"), FAULTS.values(), ids=FAULTS.keys()
)
def test_each_fault_stands_at_its_line_and_says_what_would_be_right(
    changes: dict[str, str], place: tuple[str, str], field: str, messages: tuple[str, ...]
) -> None:
    found = problems(written(changes))
    assert len(found) == 1, "\n".join(found)
    where, path = place
    assert found[0].startswith(where)
    assert f": {path}{field}: " in found[0]
    for message in messages:
        assert message in found[0]


def test_faults_of_one_group_come_together() -> None:
    found = problems(
        written(
            group(
                "server: hp_ml110_g5, hypervisor: hyper_v, smt_gain: 20 %, host_applications: 5 %"
            )
        )
    )
    assert [line.split(": ")[1] for line in found] == [
        "farm.hosts.0.hypervisor", "farm.hosts.0.smt_gain", "farm.hosts.0.host_applications",
    ]  # fmt: skip


RIGHT = {
    "as it is": {},
    "policy that moves nothing": {"none": "power_proportional"} | hypervisor("bare_metal"),
    "one family": {
        "none": "consolidation", A: A.replace("kvm", "esxi"), B: B.replace("kvm", "esxi_embedded"),
    },
    "families apart": {
        "none": "consolidation", "TENANTS": "{name: x, isolation: dedicated}",
        A: A.replace("kvm", "esxi") + ", tenant: x",
        S: f"{S}, tenant: x}}\n    - {{name: z, clock: 1 GHz",
    },
    "hosted with applications": hypervisor("virtualbox, host_applications: 20 %"),
    "shadow paging asked for": hypervisor("kvm, assists: [vt_x]"),
    "old server said to have more": group(
        "server: hp_ml110_g5, hypervisor: hyper_v, assists: [vt_x, nested_paging]"
    ),
    "low bound fits": {"typical": "low"} | hypervisor("esxi, memory: 3 GiB"),
    "swap alone backs a promise": hypervisor(
        "{based_on: ideal, change: {memory.swap_slowdown: 9}}, memory_overcommit: 2"
    ),
    "own server says what its threads gain": group(
        "smt_gain: 20 %, server: {cores: 4, clock: 2 GHz, memory: 8 GiB, "
        "power: {model: constant, power: 9 W}}"
    ),
    "hosts kept for VMs to come": {
        "TENANTS": "{name: x}", A: f"{A}, tenant: x",
        S: f"{S}, count: 4}}\n    - {{name: z, clock: 1 GHz, count: 0, tenant: x",
    },
    "giants that are let go": {
        "{control: none}": "{control: none, initial: {unplaced: reject}}",
        S: f"{S}}}\n    - {{name: big, memory: 9 TiB",
    },
    "reservations that nobody honours": {"shares": "demand", S: f"{S}, reservation: 1 GHz"},
}  # fmt: skip


@pytest.mark.parametrize("changes", RIGHT.values(), ids=RIGHT.keys())
def test_what_goes_together_is_accepted_and_survives_being_written(
    changes: dict[str, str],
) -> None:
    scenario = from_text(written(changes))
    assert from_text(dump(scenario)).model_dump() == scenario.model_dump()


def test_a_level_of_cost_can_make_a_variant_unfit(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    text = written(hypervisor("esxi, memory: 3 GiB")).replace("typical", "low")
    path.write_text(f"{text}variants:\n  dear: {{overheads: high}}\n", "utf-8")
    with pytest.raises(InputError) as caught:
        check(path)
    (found,) = map(str, caught.value.problems)
    assert found.startswith(f"{path}:16:3: variants.dear.farm.hosts.0.memory: ")
    assert "takes 4000 MiB for itself" in found


def test_the_command_line_refuses_with_2(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(written(hypervisor("kvm, host_applications: 10 %")))
    for command in ("validate", "run"):
        done = subprocess.run(
            [sys.executable, "-m", "farmsim", command, "s.yaml"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr.startswith("s.yaml:8:")
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


def test_a_scenario_without_hypervisors_does_not_read_their_catalogue() -> None:
    program = (
        "from farmsim.scenarios.variants import check\n"
        "from farmsim.models.hypervisor import profiles\n"
        "from farmsim.models.service import request_class\n"
        "check('library/first-steps')\n"
        "print(profiles._table.cache_info().currsize, request_class._table.cache_info().currsize)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0", "0"]


def test_a_policy_that_does_not_say_may_move_vms() -> None:
    class Silent:
        pass

    assert migrates_vms(Silent())  # type: ignore[arg-type]
    assert not migrates_vms(NoControl())
    assert not migrates_vms(PowerProportional())
    assert migrates_vms(Scenario.load("library/planetlab-day").policies.control)


@pytest.mark.parametrize("what", ["hypervisors", "classes"])
def test_every_figure_shows_its_range_mark_and_source(what: str) -> None:
    for entry in entries(what):
        shown = text_of(what, [entry], full=True)
        for each in entry["figures"]:
            bounds = [each[key] for key in ("low", "typical", "high")]
            known = [bound for bound in bounds if bound is not None]
            assert all(a <= b for a, b in pairwise(known))
            assert each["source"]
            if each["confidence"] not in ("definition", "given"):
                assert f"  {each['name']} " in shown
                assert each["source"] in shown


def neutral(part: Any) -> dict[str, Any]:
    """Return the changes that take every overhead from a profile."""
    changes: dict[str, Any] = {}
    for each in fields(part):
        value = getattr(part, each.name)
        if "figure" in each.metadata:
            default: Any = each.default
            changes[each.name] = default.typical
        elif is_dataclass(value):
            changes[each.name] = neutral(value)
        elif "items" in each.metadata:
            changes[each.name] = {item.name: neutral(item) for item in value}
    return changes


PLAIN = """farmsim: 1
name: identity
run: {duration: 3 h, host_series: true}
farm:
  hosts:
    - {name: x, server: hp_ml110_g4, count: 12, memory: 64 GiB}
    - {name: y, server: hp_ml110_g5, count: 12, memory: 64 GiB}
workload:
  source: planetlab-20110303
  vms: 60
  sizes:
    - {name: a, vcpus: 1, clock: 1 GHz, memory: 1 GiB, share: 50 %}
    - {name: b, vcpus: 2, clock: 0.6 GHz, memory: 2 GiB, share: 50 %}
policies: {control: consolidation, initial: {cpu_overcommit: 6}}
"""
FULL = {
    "service.sharing": "shares",
    "service.interference": True,
    "tenants": [{"name": "t"}],
    "workload.sizes.0.tenant": "t",
    "workload.sizes.0.class": "oltp",
    "workload.sizes.1.class": "web",
    "farm.hosts.0.storage_iops": 500,
    "farm.hosts.1.network": "100 Mbit/s",
}
NAMES = {"hypervisor", "licensed_cores"}
"""Columns that differ by what a hypervisor is, not by what it costs."""


def with_hypervisor(changes: Mapping[str, Any], hypervisor: Any) -> Result:
    layer = {"farm.hosts.0.hypervisor": hypervisor, "farm.hosts.1.hypervisor": hypervisor}
    return farmsim.run(from_text(PLAIN).with_(dict(changes) | layer))


@pytest.mark.parametrize("changes", [{}, FULL], ids=["plain", "classes, tenants, shares"])
@pytest.mark.parametrize("base", ["kvm", "esxi"])
def test_a_hypervisor_without_overheads_is_the_identity(changes: dict[str, Any], base: str) -> None:
    one = with_hypervisor(changes, "ideal")
    change = neutral(profiles()[base])
    other = with_hypervisor(changes, {"based_on": base, "change": change})
    for left, right in ((one, other), (one.baseline, other.baseline)):
        assert left is not None
        assert right is not None
        assert left.tables.keys() == right.tables.keys()
        for name, table in left.tables.items():
            same = right.tables[name]
            assert table.schema.equals(same.schema, check_metadata=True)
            for column in set(table.column_names) - NAMES:
                assert table[column].equals(same[column]), f"{name}.{column}"
        for metric in left.metrics():
            assert left.value(metric) == right.value(metric), metric
