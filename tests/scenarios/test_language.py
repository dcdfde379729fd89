"""Units, strict YAML, and every error at once with its place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farmsim.policies.control.consolidation import Consolidation
from farmsim.policies.overload.static_threshold import StaticThreshold
from farmsim.scenarios.errors.problems import InputError
from farmsim.scenarios.language.conditions import read_condition
from farmsim.scenarios.language.units import DIMENSIONS, Money, UnitError, parse, parse_money, write
from farmsim.scenarios.language.yaml_text import YamlError
from farmsim.scenarios.language.yaml_text import parse as parse_yaml
from farmsim.scenarios.loader import library
from farmsim.scenarios.scenario import Scenario, dump, from_text
from farmsim.scenarios.spec.applications import parse_rate

RIGHT = [
    ("24 h", "time", 86_400.0), ("5 min", "time", 300.0), ("1.5 d", "time", 129_600.0),
    ("2 years", "time", 63_072_000.0), ("250ms", "time", 0.25), ("0 s", "time", 0.0),
    ("2.6 GHz", "frequency", 2600.0), ("16 GiB", "memory", 16_384.0),
    ("870 MB", "memory", 870e6 / 2**20), ("1 TB", "memory", 1e12 / 2**20),
    ("10 Gbit/s", "bandwidth", 10_000.0), ("125 MB/s", "bandwidth", 1000.0),
    ("0.5 kW", "power", 500.0), ("95 %", "share", 0.95), (0.95, "share", 0.95),
]  # fmt: skip

WRONG = [
    ("24", "time", "no unit"), (24, "time", "no unit"), (True, "time", "not a time"),
    ("3 GHz", "time", "GHz is a unit of frequency"), ("16 GIB", "memory", "did you mean 16 GiB"),
    ("16 G", "memory", "unknown unit"), ("lots", "memory", "not a memory"),
    ([], "time", "not a time"), (None, "share", "not a share"), ("nan", "share", "not a share"),
    (float("nan"), "share", "not a finite number"), ("1e999 s", "time", "not a finite number"),
    ("5 min 3 s", "time", "unknown unit"), ("-", "power", "not a power"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "dimension", "value"), RIGHT)
def test_quantities_are_read(written: object, dimension: str, value: float) -> None:
    assert parse(written, dimension) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(("written", "dimension", "message"), WRONG)
def test_wrong_quantities_say_what_is_wrong(written: object, dimension: str, message: str) -> None:
    with pytest.raises(UnitError, match=message):
        parse(written, dimension)


@given(value=st.floats(0, 1e15), dimension=st.sampled_from(sorted(DIMENSIONS)))
def test_what_is_written_is_read_back_to_the_last_bit(value: float, dimension: str) -> None:
    assert parse(write(value, dimension), dimension) == value


def test_money_has_a_currency_and_a_price_has_its_kwh() -> None:
    assert str(parse_money("0.21 EUR/kWh", per_kwh=True)) == "0.21 EUR/kWh"
    assert parse_money("7000 USD", per_kwh=False).amount == 7000
    for written, per_kwh in (("7000", False), ("7 eur", False), ("0.2 EUR", True), ("x EUR", True),
                             ("7 EUR/kWh", False), ("7 EUR/h", True), (7, False)):  # fmt: skip
        with pytest.raises(UnitError):
            parse_money(written, per_kwh)


def test_yaml_is_version_1_2() -> None:
    text = "a: NO\nb: 12:30\nc: 010\nd: 1e3\ne: on\nf: 0x10\ng: '5'\nh: ~\ni: 22:15:00\nj: True\n"
    assert parse_yaml(text).data == {
        "a": "NO", "b": "12:30", "c": 10, "d": 1000.0, "e": "on", "f": 16, "g": "5", "h": None,
        "i": "22:15:00", "j": True,
    }  # fmt: skip


def bomb(depth: int, width: int) -> str:
    lines = [
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]"
        for level in range(1, depth)
    ]
    return "\n".join(["a0: &a0 [x]", *lines])


BAD_YAML = {
    "duplicate key": ("a: 1\nb: 2\na: 3\n", (3, 1), "duplicate key 'a' (first at line 1)"),
    "tab": ("a:\n\tb: 1\n", (2, 1), "tab"),
    "bomb": (bomb(9, 10), (7, 20), "more than 500,000 values"),
    "deep": ("[" * 100_000, (1, 41), "nested deeper"),
    "deep mappings": ("{a: " * 5_000, (1, 161), "nested deeper"),
    "deep lines": ("\n".join(" " * n + "a:" for n in range(3_000)), (41, 41), "nested deeper"),
    "deep after a list": ("- [1, 2]\n- " + "[" * 2_000, (2, 42), "nested deeper"),
    "deep lists on a line": ("- " * 5_000, (1, 81), "nested deeper"),
    "loop": ("a: &a [*a]", (1, 8), "contains itself"),
    "undefined alias": ("a: *b", (1, 4), "*b is not defined"),
    "python tag": ("a: !!python/object:os.system x", (1, 4), "tag"),
    "two documents": ("a: 1\n---\nb: 2", (2, 1), "second document"),
    "key that is a list": ("? [1]\n: 2", (1, 3), "key must be a string"),
    "unclosed": ("a: [1, 2", (2, 1), "check indentation"),
    "control character": ("a: \x00", (1, 4), "not allowed"),
}


@pytest.mark.parametrize(("text", "place", "message"), BAD_YAML.values(), ids=BAD_YAML.keys())
def test_bad_yaml_is_refused_at_its_place(text: str, place: tuple[int, int], message: str) -> None:
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    assert message in caught.value.message
    assert caught.value.mark == place


def test_a_bomb_of_ten_megabytes_is_refused() -> None:
    text = bomb(9, 10) + "\n" + "z: [" + "0, " * 3_400_000 + "0]"
    assert len(text) > 10_000_000
    with pytest.raises(YamlError, match="500,000"):
        parse_yaml(text)


FARM = """farmsim: 1
farm:
  hosts:
    - {name: a, server: hp_ml110_g5, count: 2}
workload:
  source: {type: constant, utilisation: 10 %}
  vms: 2
"""


def problems(text: str, *overrides: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        from_text(text, "s.yaml", overrides=overrides)
    return [str(problem) for problem in caught.value.problems]


def test_all_errors_come_at_once_each_with_its_place() -> None:
    text = """farmsim: 1
name: "not a name!"
run: {duration: 24, report_evry: 5 min}
farm:
  hosts:
    - {name: a, server: hp_ml110_g9, count: 0}
    - {name: b, server: {cores: 2, clock: 2 GHz, memory: 1 GiB, power: {model: lineer}}, count: 1}
workload:
  source: {type: constant, utilisation: 130 %}
  vms: .nan
policies:
  control:
    policy: consolidation
    overload: {policy: static_treshold}
    placement: {policy: dot_product, memory_wieght: 2}
cost: {server_price: 10 USD, pue: .inf}
extra: 1
"""
    found = problems(text)
    expected = [
        ("s.yaml:2:1: name:", "letters, digits"),
        ("s.yaml:3:7: run.duration:", "24 has no unit; write, for example, 5 min"),
        ("s.yaml:3:21: run.report_evry:", "unknown key 'report_evry'; did you mean report_every?"),
        ("s.yaml:6:17: farm.hosts.0.server:", "did you mean hp_ml110_g"),
        ("s.yaml:6:38: farm.hosts.0.count:", "must be at least 1"),
        ("s.yaml:7:65: farm.hosts.1.server.power:", "did you mean linear?"),
        ("s.yaml:9:28: workload.source.utilisation:", "must be at most 1"),
        ("s.yaml:10:3: workload.vms:", "not a whole number"),
        ("s.yaml:14:5: policies.control.overload:", "did you mean static_threshold?"),
        ("s.yaml:15:38: policies.control.placement.memory_wieght:", "did you mean memory_weight?"),
        ("s.yaml:16:30: cost.pue:", "not a finite number"),
        ("s.yaml:17:1: extra:", "unknown key"),
    ]
    assert len(found) == len(expected), "\n".join(found)
    for line, (place, message) in zip(found, expected, strict=True):
        assert line.startswith(place)
        assert message in line


ONE_ERROR = {
    "missing": ("farmsim: 1\nfarm:\n  hosts: []\n", "workload: is missing"),
    "currencies": (FARM + "cost: {server_price: 10 USD, energy_price: 0.2 EUR/kWh}\n",
                   "use one currency for all amounts"),
    "negative price": (FARM + "cost: {server_price: -1 EUR}\n", "negative"),
    "same name": (FARM.replace("count: 2}", "count: 2}\n    - {name: a, server: hp_ml110_g4, "
                                            "count: 1}"),
                  "two groups are named 'a'"),
    "shares": (FARM + "  sizes: [{name: x, share: 50 %}, {name: y, share: 40 %}]\n", "sum to 90 %"),
    "shares and counts": (FARM + "  sizes: [{name: x, share: 1.0}, {name: y, count: 1}]\n",
                          "counts, others shares"),
    "no counts": (FARM + "  sizes: [{name: x, count: 0}]\n", "all counts are 0"),
    "zero size": (FARM + "  sizes: [{name: x, memory: 0 GiB}]\n", "must be more than 0"),
    "negative size": (FARM + "  sizes: [{name: x, clock: -1 GHz}]\n", "must be more than 0"),
    "unknown trace": (FARM.replace("{type: constant, utilisation: 10 %}", "planetlab"),
                      "did you mean planetlab-20110303"),
    "unknown type": (FARM.replace("type: constant", "type: konstant"), "did you mean constant?"),
    "no type": (FARM.replace("type: constant, ", ""), "has no type"),
    "few watts": (FARM.replace("count: 2}", "count: 2, power: {model: table, watts: [1, 2]}}"),
                  "2 numbers instead of eleven"),
    "idle above full": (FARM.replace("count: 2}", "count: 2, power: {model: linear, idle: 9 W, "
                                                  "max: 1 W}}"),
                        "idle (9 W) is above max (1 W)"),
    "bad condition": (FARM + "assert: {energy_kwh: less}\n", "is not a condition"),
    "unknown metric": (FARM + "assert: {energy: '< 1'}\n", "did you mean energy_kwh"),
    "code": (FARM + "policies: {control: 'mine:Policy'}\n", "--allow-code"),
    "version": (FARM.replace("farmsim: 1", "farmsim: 2"), "write 1"),
    "text for number": (FARM.replace("count: 2", "count: two"), "not a whole number"),
    "list for mapping": (FARM + "cost: []\n", "not a mapping"),
    "mapping for list": (FARM.replace("\n    - {name", " {name"), "not a list"),
    "truth as number": (FARM.replace("count: 2", "count: yes"), "not a whole number"),
    "class without variance": (
        FARM.replace("{type: constant, utilisation: 10 %}",
                     "{type: synthetic, classes: [{share: 1.0, level_variance: 0, "
                     "slow_variance: 0, fast_variance: 0, daily_variance: 0, noise_variance: 0}]}"),
        "all variances are 0"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), ONE_ERROR.values(), ids=ONE_ERROR.keys())
def test_each_fault_is_named(text: str, message: str) -> None:
    found = problems(text)
    assert any(message in line for line in found), "\n".join(found)
    assert all(line.startswith("s.yaml:") for line in found)


def test_overrides_reach_anything_and_say_where_they_come_from() -> None:
    scenario = from_text(
        FARM, overrides=["farm.hosts.a.count=7", "run.duration=2 h", "policies.control=none"]
    )
    assert scenario.farm.hosts[0].count == 7
    assert scenario.run.duration == 7200
    assert problems(FARM, "farm.hosts.0.count=x")[0].startswith("--set farm.hosts.0.count=x: ")
    assert "no entry 'b'" in problems(FARM, "farm.hosts.b.count=1")[0]
    assert "not path=value" in problems(FARM, "seed")[0]
    assert "has no fields; shorten the path" in problems(FARM, "farmsim.x=1")[0]
    scenario = from_text(
        FARM + "policies: {control: {policy: consolidation, overload: static_threshold}}\n",
        overrides=["policies.control.overload.threshold=70 %"],
    )
    control = scenario.policies.control
    assert isinstance(control, Consolidation)
    assert control.overload == StaticThreshold(0.7)


@pytest.mark.parametrize("name", library())
def test_library_scenarios_survive_the_way_to_yaml_and_back(name: str) -> None:
    scenario = Scenario.load(f"library/{name}")
    again = from_text(dump(scenario), folder=scenario.folder)
    assert again.model_dump() == scenario.model_dump()
    assert dump(again) == dump(scenario)


def test_scenarios_are_built_and_changed_in_python() -> None:
    scenario = Scenario.of(
        {
            "farm": {"hosts": [{"name": "a", "server": "hp_ml110_g5", "count": 2}]},
            "workload": {"source": "planetlab-20110303"},
        }
    )
    changed = scenario.with_({"farm.hosts.0.count": 5, "seed": 3})
    assert changed.farm.hosts[0].count == 5
    assert scenario.farm.hosts[0].count == 2
    with pytest.raises(InputError, match="must be at least 1"):
        scenario.with_({"farm.hosts.0.count": -1})
    with pytest.raises(InputError, match=r"farm: is missing"):
        Scenario.of({"workload": {"source": "planetlab-20110303"}})


def test_a_scenario_that_is_no_scenario_is_refused(tmp_path: Path) -> None:
    for content, message in ((b"", "not a mapping"), (b"[1]", "not a mapping"),
                             (b"\xff\xfe", "not UTF-8")):  # fmt: skip
        path = tmp_path / "s.yaml"
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            Scenario.load(path)
    with pytest.raises(InputError, match="no such file"):
        Scenario.load(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="is a folder"):
        Scenario.load(tmp_path)
    with pytest.raises(InputError, match="did you mean first-steps"):
        Scenario.load("library/first-step")


AMBIGUOUS = [
    ("12.000 EUR", "12.000 EUR may be 12 EUR or 12000 EUR; write 12 EUR or 12000 EUR"),
    ("12,000 EUR", "12,000 EUR may be 12 EUR or 12000 EUR"),
    ("1.250 EUR", "write 1.2500 EUR or 1250 EUR"), ("12,5 EUR", "has a decimal comma; write 12.5"),
    ("12 000 EUR", "has characters between its digits"), ("12'000 EUR", "has characters between"),
    ("1.234,56 EUR", "has characters between"), ("1.234.567 EUR", "has characters between"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "message"), AMBIGUOUS)
def test_a_price_with_two_readings_is_refused_with_both(written: str, message: str) -> None:
    with pytest.raises(UnitError, match=message):
        parse_money(written, per_kwh=False)
    if "000" in written:
        with pytest.raises(UnitError):
            parse_money(f"{written}/kWh", per_kwh=True)


@pytest.mark.parametrize(
    "written", ["1.440 min", "16.384 GiB", "1.000 Mbit/s", "93.700 W", "2.600 MHz", "1,5 h"]
)
def test_other_quantities_with_two_readings_are_refused(written: str) -> None:
    dimension = next(name for name, kind in DIMENSIONS.items() if written.split()[1] in kind.units)
    with pytest.raises(UnitError, match=r"may be|decimal comma"):
        parse(written, dimension)


def test_one_reading_is_no_ambiguity() -> None:
    assert parse("12.500 %", "share") == 0.125
    assert parse("0.210 GHz", "frequency") == 210
    assert parse("1.0005 s", "time") == 1.0005
    assert parse("2.593 GHz", "frequency", most=100_000.0) == 2593
    assert parse_money("0.210 EUR/kWh", per_kwh=True).amount == 0.21
    for text in ("1.000 requests/s", "12.000 GHz"):
        with pytest.raises(UnitError, match="may be"):
            parse_rate(text)
    with pytest.raises(ValueError, match="may be 12 or 12000"):
        read_condition("< 12.000")


@given(amount=st.floats(0, 1e15))
def test_money_is_read_back_to_the_last_bit(amount: float) -> None:
    assert parse_money(str(Money(amount, "EUR")), per_kwh=False).amount == amount


def test_the_currency_is_that_of_the_amounts_that_are_given() -> None:
    only = from_text(FARM + "cost: {currency: USD}\n").cost
    assert (only.currency, only.energy_price.currency, only.server_price.currency) == ("USD",) * 3
    tariff = from_text(FARM + "cost: {energy_price: 0.2 CHF/kWh}\n").cost
    assert (tariff.currency, str(tariff.server_price)) == ("CHF", "7000 CHF")
    assert "server_price" not in tariff.model_fields_set
    priced = from_text(FARM.replace("count: 2}", "count: 2, price: 9000 USD}")).cost
    assert priced.currency == "USD"
    mixed = problems(FARM + "cost: {server_price: 10 USD, energy_price: 0.2 EUR/kWh}\n")
    assert "cost.server_price is in USD, cost.energy_price is EUR" in mixed[0]
