"""Licences: minima by hand, minimum orders over groups, prices by the VM, foreign currencies."""

from typing import Any

import numpy as np
import pytest

import farmsim
from farmsim.models.catalogue import servers
from farmsim.models.hypervisor import Licence
from farmsim.models.licence import HostLicence, costs_per_year, list_price

R740 = servers()["dell_r740_8180"]
"""Two sockets of 28 cores."""


def licence(metric: str, **minima: int) -> Licence[float]:
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
        assert list_price(written, R740, "x", "USD") == HostLicence(foreign="EUR")


def test_a_minimum_order_is_over_all_hosts_under_one_licence() -> None:
    small = HostLicence(per_host=160.0, cores=16, order="a", least_cores=72)
    large = HostLicence(per_host=320.0, cores=32, order="a", least_cores=72)
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
    assert result.value("licence_cost") == 0
    assert any("esxi's licence is in USD and counts as 0" in each
               for each in result.summary["warnings"])  # fmt: skip
    told = {row["assumption"]: row for row in result.summary["assumptions"]}
    assert told["rack: licence"]["value"] == "0: the list price is in USD, not EUR"
    counted = run_with("esxi", "USD")
    assert counted.value("licence_cost") == pytest.approx(2 * 56 * 190 / 50)
    assert not any("licence" in each for each in counted.summary["warnings"])
