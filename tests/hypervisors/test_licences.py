"""Licences: minima by hand, minimum orders over groups, prices by the VM, foreign currencies."""

import re
from typing import Any

import numpy as np
import pytest

import farmsim
from farmsim.analysis.terminal import summary_text
from farmsim.models.hardware.server import servers
from farmsim.models.hypervisor.licences import HostLicence, costs_per_year, list_price
from farmsim.models.hypervisor.profiles import Licence
from farmsim.scenarios.errors.problems import InputError

R740 = servers()["dell_r740_8180"]
"""Two sockets of 28 cores."""


def licence(metric: str, **minima: Any) -> Licence[float]:
    return Licence(metric=metric, price_per_year=10.0, currency="EUR", **minima)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (licence("none"), (0.0, 0.0)),
        (licence("per_core"), (560.0, 0.0)),
        (licence("per_core", minimum_cores_per_socket=32), (640.0, 0.0)),
        (licence("per_core", minimum_cores_per_host=100), (1000.0, 0.0)),
        (licence("per_socket"), (20.0, 0.0)),
        (licence("per_vm"), (0.0, 10.0)),
    ],
)
def test_what_a_host_and_a_vm_cost(written: Licence[float], expected: tuple[float, float]) -> None:
    found = list_price(written, R740, "x", "EUR")
    assert (found.per_host, found.per_vm, found.foreign) == (*expected, "")
    if written.metric != "none":
        other = list_price(written, R740, "x", "USD")
        assert (other.per_host, other.per_vm, other.foreign) == (0.0, 0.0, "EUR")
        assert not other.known
        assert other.cores == found.cores


def test_a_minimum_order_is_over_all_hosts_under_one_licence() -> None:
    small = HostLicence(per_host=160.0, cores=16, order="a", min_cores=72)
    large = HostLicence(per_host=320.0, cores=32, order="a", min_cores=72)
    other = HostLicence(per_host=5.0, per_vm=2.0)
    none = np.zeros(3)
    both = costs_per_year([small, large, other], [1, 1, 2], np.array([0.0, 0.0, 7.0]))
    assert both == pytest.approx([240.0, 480.0, 24.0])  # 48 cores pay for 72
    enough = costs_per_year([small, large, other], [3, 1, 0], none)
    assert enough == pytest.approx([480.0, 320.0, 0.0])
    assert costs_per_year([small, large, other], [0, 0, 0], none).tolist() == [0.0] * 3


def run_with(hypervisor: Any, currency: str) -> farmsim.Result:
    price = {"energy_price": f"0.2 {currency}/kWh", "server_price": f"1000 {currency}"}
    return farmsim.run(
        {
            "run": {"duration": "7.3 d", "report_every": "7.3 d"},  # a fiftieth of a year
            "farm": {
                "hosts": [
                    {"name": "rack", "server": "dell_r740_8180", "count": 2,
                     "hypervisor": hypervisor}
                ]
            },
            "workload": {
                "source": {"type": "constant", "utilisation": "50 %"},
                "sizes": [{"name": "s", "vcpus": 1, "clock": "1 GHz", "memory": "1 GiB",
                           "count": 3}],
            },
            "policies": {"control": "none", "every": "365 d"},
            "cost": {"currency": currency, "hosts_paid": "owned", **price},
            "baseline": {"type": "none"},
        }
    )  # fmt: skip


def test_a_licence_by_the_vm_counts_the_vms_on_the_group() -> None:
    by_vm = {"based_on": "kvm", "change": {"licence": {
        "metric": "per_vm", "price_per_year": 7, "currency": "EUR"}}}  # fmt: skip
    assert run_with(by_vm, "EUR").value("licence_cost") == pytest.approx(21.0 / 50)


def test_a_list_price_in_another_currency_is_told() -> None:
    result = run_with("esxi", "EUR")
    assert result.value("licence_cost") is None
    assert result.value("hosts_unlicensed") == 2
    summary = result.summary
    assert summary["total_cost"]["title"] == "Cost without licences"
    parts = result.value("energy_cost") + result.value("capital_cost")
    assert result.value("total_cost") == pytest.approx(parts)
    assert any("without the licence of esxi" in each for each in summary["warnings"])
    shown = summary_text(result)
    assert re.search(r"Licence cost +– ", shown)
    assert "Cost without licences" in shown
    assert "Cost without licences" in result.report()
    line = next(row for row in result.table("costs").to_pylist() if row["item"] == "licence")
    assert (line["amount"], line["per_year"], line["licensed_cores"]) == (None, None, 112.0)
    told = {row["assumption"]: row for row in result.summary["assumptions"]}
    assert told["rack: licence"]["value"] == "not counted: the list price is in USD, not EUR"
    counted = run_with("esxi", "USD")
    assert counted.value("licence_cost") == pytest.approx(2 * 56 * 190 / 50)
    assert not any("licence" in each for each in counted.summary["warnings"])


def test_rows_of_cost_add_up_to_the_total() -> None:
    result = run_with("esxi", "USD")
    parts = [result.value(f"{item}_cost") for item in ("energy", "capital", "licence")]
    assert result.value("total_cost") == pytest.approx(sum(parts))
    assert "hosts_unlicensed" not in result.summary
    lines = result.table("costs").to_pylist()
    assert sum(line["amount"] for line in lines) == pytest.approx(result.value("total_cost"))
    assert [line["licensed_cores"] for line in lines] == [0.0, 0.0, 112.0]
    assert result.table("hosts")["licensed_cores"].to_pylist() == [56.0, 56.0]
    assert re.search(r"Licence cost +[0-9]", summary_text(result))


def two_groups(first: Any, second: Any, **cost: Any) -> farmsim.Result:
    """Return a run of two groups of one small host each, all owned."""
    server = {"cores": 16, "clock": "1 GHz", "memory": "64 GiB", "sockets": 1,
              "power": {"model": "linear", "idle": "100 W", "max": "200 W"}}  # fmt: skip
    hosts = [
        {"name": name, "server": server, "count": 1} | more
        for name, more in (("a", first), ("b", second))
    ]
    return farmsim.run(
        {
            "name": "two", "run": {"duration": "1 d"}, "farm": {"hosts": hosts},
            "workload": {"source": {"type": "constant", "utilisation": "50 %"}, "vms": 2},
            "cost": {"hosts_paid": "owned", **cost}, "baseline": {"type": "none"},
        }
    )  # fmt: skip


def test_a_minimum_order_is_under_one_contract_whatever_the_profile() -> None:
    """32 cores under one contract pay for 72, whether or not they run the same profile."""
    own = {"based_on": "esxi", "change": {"host_boot_s": 100}}
    for second in ("esxi", "esxi_embedded", own):
        result = two_groups({"hypervisor": "esxi"}, {"hypervisor": second}, currency="USD")
        lines = [row for row in result.table("costs").to_pylist() if row["item"] == "licence"]
        assert sum(row["licensed_cores"] for row in lines) == pytest.approx(72)
        assert result.value("licence_cost") == pytest.approx(72 * 190 / 365)


def test_a_minimum_order_has_a_region_a_date_and_a_mark() -> None:
    result = two_groups({"hypervisor": "esxi"}, {"hypervisor": "esxi"}, currency="USD")
    told = {row["assumption"]: row["value"] for row in result.summary["assumptions"]}
    assert "72 cores minimum order" in told["a: licence"]
    assert "the Americas and Asia-Pacific and Japan since 2025-04-10" in told["a: licence"]
    assert "M: from memory, not checked" in told["a: licence"]
    warned = [text for text in result.summary["warnings"] if "minimum order" in text]
    assert warned == [
        "Licences are counted for 72 instead of 32 cores: the minimum order with VMware (the "
        "Americas and Asia-Pacific and Japan since 2025-04-10, M: from memory, not checked); set "
        "cost.licence_region."
    ]


@pytest.mark.parametrize(("region", "cores"), [("americas", 72), ("apj", 72), ("emea", 32)])
def test_a_minimum_order_counts_where_it_is_asked_for(region: str, cores: int) -> None:
    result = two_groups(
        {"hypervisor": "esxi"}, {"hypervisor": "esxi"}, currency="USD", licence_region=region
    )
    assert result.value("licence_cost") == pytest.approx(cores * 190 / 365)
    assert not [text for text in result.summary["warnings"] if "minimum order" in text]


def test_a_part_of_the_licences_that_is_known_is_called_so() -> None:
    result = two_groups(
        {"hypervisor": "esxi"}, {"hypervisor": "kvm", "licence": "365 EUR"},
        energy_price="0.2 EUR/kWh",
    )  # fmt: skip
    assert result.value("licence_cost") == pytest.approx(1.0)
    assert result.value("hosts_unlicensed") == 1
    assert result.summary["licence_cost"]["title"] == "Licence cost, known part"
    assert result.summary["cost_per_year"]["title"] == "Cost per year without some licences"


def test_a_saving_says_that_licences_are_not_in_it() -> None:
    scenario = {
        "name": "saved", "run": {"duration": "1 h"},
        "farm": {"hosts": [{"name": "h", "server": "dell_r740_8280", "count": 2,
                            "hypervisor": "esxi", "price": "12000 EUR"}]},
        "workload": {"source": {"type": "constant", "utilisation": "50 %"}, "vms": 8},
        "baseline": {"type": "dedicated"},
    }  # fmt: skip
    result = farmsim.run(scenario)
    assert ", excluding licences of unknown price" in result.summary["verdict"]
    titles = [
        result.summary[name]["title"] for name in ("saved_cost_per_year", "saved_cost_percent")
    ]
    assert titles == ["Cost saved per year without licences", "Cost saved without licences"]


@pytest.mark.parametrize(
    ("price", "cost", "expected"),
    [
        ({"price": "9000 EUR"}, {}, ["energy_price"]),
        ({"price": "9000 EUR"}, {"energy_price": "0.2 EUR/kWh"}, []),
        ({}, {"energy_price": "0.2 EUR/kWh"}, ["server_price"]),
        ({}, {"server_price": "9000 EUR"}, ["energy_price"]),
    ],
)
def test_a_price_that_is_given_is_no_placeholder(
    price: dict[str, str], cost: dict[str, str], expected: list[str]
) -> None:
    result = two_groups(price, price, **cost)
    told = [each for each in result.summary["warnings"] if "placeholder" in each]
    names = re.findall(r"cost\.(\w+)", " ".join(told))
    assert names == expected
    sources = {row["assumption"]: row["source"] for row in result.summary["assumptions"]}
    placeholder = "placeholder" in sources["Server price"]
    assert placeholder == ("server_price" in expected)


def test_a_default_currency_is_no_fault_of_the_user_s() -> None:
    for cost in ({"currency": "CHF"}, {"energy_price": "0.2 CHF/kWh"}, {}):
        result = two_groups({"price": "100 CHF"}, {"price": "100 CHF"}, **cost)
        assert result.summary["total_cost"]["unit"] == "CHF"
    with pytest.raises(InputError, match="price of group b is in EUR, price of group a is CHF"):
        two_groups({"price": "100 CHF"}, {"price": "100 EUR"})


def test_a_comparison_of_costs_says_that_licences_are_not_in_it() -> None:
    host = {"name": "h", "server": "dell_r740_8280", "count": 1, "price": "12000 EUR"}
    made = {
        "name": "pair", "run": {"duration": "8 d"},
        "farm": {"hosts": [host | {"hypervisor": "esxi"}]},
        "workload": {"source": {"type": "constant", "utilisation": "50 %"}, "vms": 8},
        "baseline": {"type": "none"},
        "variants": {"base": {}, "kvm": {"farm.hosts.0.hypervisor": "kvm"}},
    }  # fmt: skip
    found = farmsim.compare(made)
    assert ", excluding licences of unknown price" in found.sentences[0]
    assert found.rows["total_cost"].title == "Cost (without licences: base)"
    licence = found.rows["licence_cost"].cells["base"]
    assert licence is not None
    assert licence.value is None
