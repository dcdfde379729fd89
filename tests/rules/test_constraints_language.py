"""Rules of placement in the language: each fault at its line, tables of rules, what a run tells."""

from pathlib import Path

import pytest
from chaos import watch

import farmsim
from farmsim.cli.errors import BAD_INPUT
from farmsim.cli.main import run_command_line
from farmsim.models.rules.checker import violated
from farmsim.scenarios.build.build import build
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.scenario import Scenario, from_text

BASE = """name: ruled
run: {duration: 1 h}
farm:
  hosts_per_rack: 2
  hosts:
    - {name: a, server: hp_ml110_g5, count: 4, memory: 16 GiB}
    - {name: b, server: hp_ml110_g5, count: 2, memory: 16 GiB, site: east}
tenants: [{name: bank}, {name: shop}]
workload:
  source: {type: constant, utilisation: 20 %}
  sizes:
    - {name: s, vcpus: 1, clock: 1 GHz, memory: 1 GiB, count: 6, tenant: bank}
    - {name: big, vcpus: 2, clock: 1 GHz, memory: 6 GiB, count: 3, tenant: shop}
policies: {control: {policy: consolidation}}
baseline: {type: none}
constraints:
"""
LINE = BASE.count("\n") + 1


def ruled(*rules: str, base: str = BASE) -> str:
    return base + "".join(f"  - {{{rule}}}\n" for rule in rules)


def problems(text: str, folder: Path | None = None) -> list[str]:
    with pytest.raises(InputError) as caught:
        build(from_text(text, "s.yaml", folder))
    return [str(each) for each in caught.value.problems]


PAIR = "name: pair, type: together, vms: [vm-1, vm-2]"
FAULTS = {
    "unknown VM": (
        [PAIR, "name: r, type: apart, vms: [vm-1, vm-x]"],
        f"s.yaml:{LINE + 1}:28: constraints.1.vms: there is no VM 'vm-x'; did you mean vm-",
    ),
    "pattern that names nobody": (
        ["name: r, type: apart, vms: ['db-*']"],
        f"s.yaml:{LINE}:28: constraints.0.vms: there is no VM 'db-*'; available: vm-1, vm-2",
    ),
    "unknown host": (
        ["name: r, type: fence, vms: [vm-1], hosts: [a-9]"],
        f"s.yaml:{LINE}:41: constraints.0.hosts: there is no host 'a-9'; did you mean a-",
    ),
    "unknown size": (
        ["name: r, type: lonely, sizes: [bigg]"],
        f"s.yaml:{LINE}:29: constraints.0.sizes: there is no size 'bigg'; did you mean big?",
    ),
    "unknown tenant": (
        ["name: r, type: lonely, tenants: [banc]"],
        f"s.yaml:{LINE}:29: constraints.0.tenants: there is no tenant 'banc'; did you mean bank?",
    ),
    "unknown type": (
        ["name: r, type: affinity, vms: [vm-1]"],
        f"s.yaml:{LINE}:5: constraints.0: there is no type 'affinity'; ",
    ),
    "nobody": (["name: r, type: apart"], "constraints.0: applies to no VM; set vms"),
    "hosts missing": (["name: r, type: fence, vms: [vm-1]"], "constraints.0.hosts: is missing"),
    "field of another type": (
        ["name: r, type: apart, vms: [vm-1], hosts: [a-1]"],
        "constraints.0.hosts: unknown key 'hosts'",
    ),
    "price of nothing": (["name: r, type: lonely, vms: [vm-1], penalty: 0"], "must be more than 0"),
    "the same name twice": (
        [PAIR, PAIR.replace("together", "apart")],
        f"s.yaml:{LINE + 1}:6: constraints.1: two rules are called 'pair'",
    ),
    "cycle": (
        [PAIR, "name: link, type: together, vms: [vm-2, vm-3]",
         "name: split, type: apart, vms: [vm-1, vm-3]"],
        f"s.yaml:{LINE}:6: constraints.0: rules pair, link, split cannot be kept (link at "
        f"s.yaml:{LINE + 1}:6; split at s.yaml:{LINE + 2}:6) by vm-1, vm-3: they must share a "
        "host, and may not; change one of them, or give it a penalty",
    ),
    "more VMs than hosts": (
        ["name: r, type: apart, vms: ['vm-*']"],
        "constraints.0: rule r cannot be kept by vm-1, vm-2, vm-3, vm-4, vm-5 and 4 more: they "
        "must be on different hosts; only 6 are left to them",
    ),
    "more VMs than racks": (
        ["name: r, type: spread, vms: [vm-1, vm-2, vm-3, vm-4]"],
        "they must be on different racks; only 3 are left to them",
    ),
    "group larger than a host": (
        ["name: r, type: together, sizes: [big]"],
        "by vm-7, vm-8, vm-9: they need 18,432 MiB memory, 6,000 MHz CPU of one host;",
    ),
    "dedicated to others": (
        ["name: mine, type: dedicated, tenants: [bank], hosts: ['a-*']",
         "name: pen, type: fence, sizes: [big], hosts: [a-1]"],
        "rules mine, pen cannot be kept",
    ),
    "more CPU than any host has": (
        ["name: r, type: preserve, vms: [vm-1], cpu: 9 GHz"], "9,000 MHz preserved CPU of one host",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_told_where_they_stand(fault: str) -> None:
    rules, expected = FAULTS[fault]
    found = problems(ruled(*rules))
    assert any(expected in each for each in found), found


def test_every_unknown_name_is_told_at_once() -> None:
    found = problems(ruled("name: r, type: fence, vms: [x, y], hosts: [z]"))
    assert len(found) == 3


def test_patterns_sizes_and_tenants_add_up() -> None:
    case = build(
        from_text(ruled("name: r, type: apart, vms: ['vm-[12]'], sizes: [big], tenants: [shop]"))
    )
    assert case.rules is not None
    (rule,) = case.rules.all
    assert rule.vms.tolist() == [0, 1, 6, 7, 8]


def test_a_cancelled_move_would_tear_companions_apart() -> None:
    cancelling = BASE.replace(
        "baseline:", "migration: {model: pre_copy, if_not_converging: cancel}\nbaseline:"
    )
    (found,) = problems(ruled(PAIR, base=cancelling))
    assert "constraints.0: keeps VMs together, but VMs are migrated one at a time" in found
    build(from_text(ruled(PAIR + ", penalty: 1", base=cancelling)))


def test_a_run_tells_of_its_rules() -> None:
    text = ruled(
        "name: bank-apart, type: spread, tenants: [bank], at_most: 2",
        "name: calm, type: lonely, vms: [vm-7], penalty: 2.5",
        "name: shy, type: ban, vms: [vm-1], hosts: ['*'], penalty: 1",
    )
    result = farmsim.run(from_text(text.replace("policy: consolidation", "policy: none")))
    assert result.value("rules_broken_vm_h") == pytest.approx(1.0)
    rules = {row["rule"]: row for row in result.tables["rules"].to_pylist()}
    assert rules["bank-apart"]["hard"]
    assert rules["bank-apart"]["domain"] == "rack"
    assert rules["calm"]["penalty"] == 2.5
    assert rules["shy"]["broken_vm_h"] == pytest.approx(1.0)
    broken = result.tables["rule_violations"].to_pylist()
    assert {(row["rule"], row["vm"]) for row in broken} == {("shy", "vm-1")}
    assert "Placement rules" in result.report()


def test_vms_that_find_no_host_are_told_with_the_rules() -> None:
    full = BASE.replace("count: 4, memory: 16 GiB", "count: 4, memory: 6 GiB")
    text = ruled("name: pen, type: fence, sizes: [big], hosts: [a-1, a-2]", base=full)
    with pytest.raises(InputError) as caught:
        farmsim.run(from_text(text))
    assert "4 are excluded, excluded by rules: pen 4" in str(caught.value)


def test_without_rules_there_are_no_tables_of_rules() -> None:
    result = farmsim.run(from_text(BASE.replace("constraints:\n", "")))
    assert "rules" not in result.tables
    assert "rules_broken_vm_h" not in result.summary


def test_a_resolved_scenario_has_the_same_rules() -> None:
    scenario = from_text(ruled("name: r, type: spread, sizes: [s], at_most: 2", PAIR))
    again = from_text(scenario.to_yaml())
    assert again.constraints == scenario.constraints


def test_changed_rules_are_told_by_the_name_of_the_scenario() -> None:
    scenario = from_text(ruled(PAIR)).with_({"constraints.0.vms": ["nobody"]})
    with pytest.raises(InputError) as caught:
        build(scenario)
    assert str(caught.value).startswith("ruled: constraints.0.vms: there is no VM 'nobody'")


# Tables of rules

TABLE = """rule,type,vm,host,domain,at_most,penalty
racks,spread,vm-1,,,,
racks,,vm-2,,rack,1,
pen,fence,vm-3,a-1,,,
pen,,vm-4,a-2,,,
calm,lonely,vm-5,,,,1.5
"""


def from_table(folder: Path, table: str, name: str = "rules.csv") -> Scenario:
    (folder / name).write_text(table)
    text = BASE.replace("constraints:\n", f"constraints_file: {name}\n")
    return from_text(text, "s.yaml", folder)


def test_rules_come_from_a_table(tmp_path: Path) -> None:
    case = build(from_table(tmp_path, TABLE))
    assert case.rules is not None
    racks, pen, calm = case.rules.all
    assert (racks.kind, racks.level, racks.vms.tolist(), racks.hard) == (
        "spread",
        "rack",
        [0, 1],
        True,
    )
    assert (pen.vms.tolist(), pen.hosts.tolist()) == ([2, 3], [0, 1])
    assert (calm.kind, calm.penalty) == ("lonely", 1.5)
    assert [each.name for each in case.load.files] == ["rules.csv"]


def test_rules_come_from_parquet(tmp_path: Path) -> None:
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    columns = {"rule": ["r", "r"], "type": ["apart", "apart"], "vm": ["vm-1", "vm-2"]}
    parquet.write_table(pa.table(columns), tmp_path / "rules.parquet")
    text = BASE.replace("constraints:\n", "constraints_file: rules.parquet\n")
    case = build(from_text(text, "s.yaml", tmp_path))
    assert case.rules is not None
    assert case.rules.all[0].vms.tolist() == [0, 1]


TABLE_FAULTS = {
    "no such column": ("rule,typ,vm\n", "rules.csv:1: has no column 'type'; columns are rule, vm"),
    "unknown column": (
        "rule,type,vms\n", "rules.csv:1: there is no column 'vms'; did you mean vm?",
    ),
    "row of no rule": (
        "rule,type,vm\n,apart,vm-1\n",
        "rules.csv:2: rule: is empty; write the name of the rule",
    ),
    "two types": (
        "rule,type,vm\nr,apart,vm-1\nr,lonely,vm-2\n",
        "rules.csv:3: type: is 'lonely', and 'apart' in an earlier row of r; write the same",
    ),
    "no number": (
        "rule,type,vm,penalty\nr,apart,vm-1,dear\n", "rules.csv:2: penalty: 'dear' is not a number",
    ),
    "unknown type": ("rule,type,vm\nr,affine,vm-1\n", "rules.csv:2: there is no type 'affine'"),
    "field of another type": (
        "rule,type,vm,host\nr,apart,vm-1,a-1\n", "rules.csv:2: hosts: unknown key 'hosts'",
    ),
    "nobody": ("rule,type,vm\nr,apart,\n", "rules.csv:2: applies to no VM"),
    "unknown VM": ("rule,type,vm\nr,apart,vm-x\n", "rules.csv:2: vms: there is no VM 'vm-x'"),
    "unknown host": (
        "rule,type,vm,host\np,ban,vm-1,a-1\nr,fence,vm-1,a-9\n",
        "rules.csv:3: hosts: there is no host 'a-9'",
    ),
    "conflict": (
        "rule,type,vm,host\np,fence,vm-1,a-1\nq,ban,vm-1,a-1\n",
        "rules.csv:2: rules p, q cannot be kept (q at rules.csv:3) by vm-1: no host is left",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", TABLE_FAULTS)
def test_faults_of_a_table_are_told_at_their_row(fault: str, tmp_path: Path) -> None:
    table, expected = TABLE_FAULTS[fault]
    with pytest.raises(InputError) as caught:
        build(from_table(tmp_path, table))
    assert expected in str(caught.value)


def test_a_table_that_is_missing_is_told(tmp_path: Path) -> None:
    text = BASE.replace("constraints:\n", "constraints_file: none.csv\n")
    with pytest.raises(InputError) as caught:
        from_text(text, "s.yaml", tmp_path).check_paths()
    assert "none.csv: constraints_file: no such file" in str(caught.value)


@pytest.mark.parametrize("command", ["validate", "run"])
def test_bad_rules_end_with_code_2(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(ruled(*FAULTS["cycle"][0]))
    assert run_command_line([command, str(path)]) == BAD_INPUT
    told = capsys.readouterr().err
    assert f"bad.yaml:{LINE}:6: constraints.0: rules pair, link, split cannot be kept" in told
    assert "Traceback" not in told


COMING = """name: coming
run: {duration: 6 h}
farm:
  hosts_per_rack: 2
  hosts:
    - {name: a, server: hp_ml110_g5, count: 12, memory: 16 GiB}
workload:
  source: {type: constant, utilisation: 50 %}
  arrivals: {type: table, path: coming.csv}
policies: {control: {policy: consolidation}}
provisioning: {boot: 20 s}
baseline: {type: none}
constraints:
  - {name: db, type: spread, vms: ["v*[05]"], domain: rack, at_most: 2}
  - {name: pair, type: together, vms: [v11, v12]}
  - {name: pen, type: fence, vms: ["v2*"], hosts: ["a-0*"]}
  - {name: calm, type: lonely, vms: [v3, v4]}
"""


def test_vms_that_come_and_go_keep_the_rules(tmp_path: Path) -> None:
    rows = [f"{600 * (vm // 2)},{3000 + 400 * (vm % 9)},1,2,v{vm}" for vm in range(60)]
    table = "\n".join(["arrival,lifetime,vcpus,memory,vm", *rows])
    (tmp_path / "coming.csv").write_text(table + "\n")
    case = build(from_text(COMING, folder=tmp_path))
    farm, rules = case.farm, case.rules
    assert rules is not None
    looked = 0

    def check() -> None:
        nonlocal looked
        looked += 1
        vms = farm.vms
        found = violated(rules.all, rules.domains, vms.host, vms.moving_to, rules.capacity_mhz)
        assert [each.rule.name for each in found] == []

    watch(farm, check)
    outcome = case.engine.run()
    assert looked > 100
    assert len(outcome.tables["migrations"]["vm"])
