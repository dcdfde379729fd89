"""What is said about odd runs, written down by hand: the same words in every voice.

Hosts have 10 GHz and draw 100 W idle and 200 W at full load. Energy costs 0.25 EUR/kWh, 2,190 EUR
for a kW all year; a host costs 8,760 EUR a year.
"""

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import farmsim
from farmsim.analysis.terminal import summary_text

SERVER = {
    "cores": 10, "clock": "1 GHz", "memory": "100 GiB",
    "power": {"model": "linear", "idle": "100 W", "max": "200 W"},
}  # fmt: skip
COST = {
    "energy_price": "0.25 EUR/kWh", "pue": 1.0, "server_price": "8760 EUR",
    "server_lifetime": "1 year",
}  # fmt: skip
HUGE = [{"name": "s", "vcpus": 2, "clock": "1 GHz", "memory": "400 GiB"}]
REJECT = {"initial": {"unplaced": "reject"}}
ENERGY_ONLY = (
    "one workload each (same server as the hosts of the farm, counted with their energy only)"
)
ONE_ENERGY_ONLY = (
    "for its one workload (same server as the hosts of the farm, counted with its energy only)"
)
HOUR = "extrapolated from 1 h"


def farm(hosts: int) -> dict[str, Any]:
    return {"hosts": [{"name": "h", "server": SERVER, "count": hosts}]}


def load(vms: int = 4, utilisation: str = "50 %", **more: Any) -> dict[str, Any]:
    sizes = [{"name": "s", "vcpus": 2, "clock": "1 GHz", "memory": "4 GiB"}]
    source = {"type": "constant", "utilisation": utilisation}
    return {"source": source, "vms": vms, "sizes": sizes, **more}


ODD: dict[str, tuple[Mapping[str, Any], str]] = {
    "nothing placed": (
        {"workload": load(sizes=HUGE), "policies": REJECT},
        "All 4 VMs were rejected and 100 % of the requested CPU was not served. No VM ran: 2 hosts "
        "stood idle for 1 h and used 0.2 kWh. No saving is claimed because no VM ran.",
    ),
    "the only VM rejected": (
        {"workload": load(1, sizes=HUGE), "policies": REJECT, "farm": farm(1)},
        "The only VM was rejected and 100 % of the requested CPU was not served. No VM ran: 1 host "
        "stood idle for 1 h and used 0.1 kWh. No saving is claimed because no VM ran.",
    ),
    "nothing asked for": (
        {"workload": load(utilisation="0 %")},
        "4 VMs ran on 2 hosts for 1 h and used 0.2 kWh. They requested no CPU. Against 4 dedicated "
        f"servers, {ENERGY_ONLY}: 50 % less energy (0.2 instead of 0.4 kWh), saving 438 EUR a "
        "year on energy; including 17,520 EUR a year for the hosts of this run, costing 17,082 EUR "
        f"a year more ({HOUR}).",
    ),
    # 790 W h of the hosts that are not needed do not count.
    "hosts that nobody needs": (
        {"workload": load(utilisation="0 %"), "policies": {"control": "power_proportional"},
         "farm": farm(80)},
        f"4 VMs ran on 1 host for 1 h and used 0.1 kWh. They requested no CPU. Against 4 dedicated "
        f"servers, {ENERGY_ONLY}: 75 % less energy (0.1 instead of 0.4 kWh), saving 657 EUR a "
        "year on energy; including 8,760 EUR a year for the hosts of this run, costing 8,103 EUR a "
        f"year more ({HOUR}).",
    ),
    # Two hosts at 20 % draw 120 W each for half an hour, then 5 W each.
    "everything fails": (
        {"policies": {"initial": {"placement": "round_robin"}},
         "failures": {"schedule": [{"at": "30 min", "match": ["h-*"]}], "restart_vms": False}},
        "All 4 VMs had no host at the end, VMs were available 50 % of the time and 50 % of "
        "the requested CPU was not served. 4 VMs ran on up to 2 hosts (1 on average) for 1 h and "
        f"used 0.125 kWh. No saving is claimed against 4 dedicated servers, {ENERGY_ONLY}: this "
        "run did 50 % of the work done there.",
    ),
    "one VM on one host": (
        {"workload": load(1), "farm": farm(1)},
        "1 VM ran on 1 host for 1 h and used 0.11 kWh. All requested CPU was served. Against 1 "
        f"dedicated server {ONE_ENERGY_ONLY}: no difference in energy, costing 8,760 EUR a year "
        f"more for the hosts of this run ({HOUR}).",
    ),
    "shorter than a step": (
        {"run": {"duration": "1 min"}},
        "4 VMs ran on 2 hosts for 60 s and used 0.004 kWh. All requested CPU was served. Against 4 "
        f"dedicated servers, {ENERGY_ONLY}: 45 % less energy (0.004 instead of 0.00733 kWh), "
        "saving 438 EUR a year on energy; including 17,520 EUR a year for the hosts of this run, "
        "costing 17,082 EUR a year more (extrapolated from 60 s).",
    ),
    "a week is long enough": (
        {"run": {"duration": "7 days", "report_every": "1 day"}, "workload": load(1),
         "farm": farm(1), "baseline": {"type": "dedicated", "price": "17520 EUR"}},
        "1 VM ran on 1 host for 7 days and used 18.5 kWh. All requested CPU was served. Against 1 "
        "dedicated server for its one workload (same server as the hosts of the farm, at 17,520 "
        "EUR): no difference in energy, saving 8,760 EUR a year.",
    ),
    # Twice what the host has: it is full, in the baseline as well.
    "twice too much": (
        {"workload": load(10, "100 %"), "farm": farm(1), "baseline": {"type": "unconsolidated"},
         "policies": {"initial": {"cpu_overcommit": 2}}},
        "50 % of the requested CPU was not served. 10 VMs ran on 1 host for 1 h and used 0.2 kWh. "
        "Against the same farm without consolidation (1 host always on, no migrations): no "
        "difference in energy or cost.",
    ),
    # Two hosts draw 5 W each all the time; VMs had hosts for no time at all.
    "everything fails at once": (
        {"failures": {"schedule": [{"at": "0 s", "match": ["h-*"]}], "restart_vms": False}},
        "All 4 VMs had no host at the end, VMs were available 0 % of the time and 100 % of "
        "the requested CPU was not served. 4 VMs had a host, but no host was on during "
        "1 h; 0.01 kWh were used. No saving is claimed against 4 dedicated servers, "
        f"{ENERGY_ONLY}: no work was done.",
    ),
    # 0.15 kWh and 0.55 kWh an hour, 0.25 EUR each, and licences of 100 EUR for the host.
    "three quarters rejected": (
        {"workload": load(20), "policies": REJECT,
         "farm": {"hosts": [{"name": "h", "server": SERVER, "licence": "100 EUR", "count": 1}]}},
        "15 of 20 VMs were rejected and 75 % of the requested CPU was not served. 5 VMs ran on 1 "
        f"host for 1 h and used 0.15 kWh. Against 5 dedicated servers, {ENERGY_ONLY} for the 5 VMs "
        "that ran: 73 % less energy (0.15 instead of 0.55 kWh), saving 876 EUR a year on energy; "
        "including 8,860 EUR a year for the hosts of this run, costing 7,984 EUR a year more "
        f"({HOUR}).",
    ),
    # Ten VMs fit; 0.3 kWh here and 10 times 0.11 kWh there.
    "one VM too many": (
        {"workload": load(11), "policies": REJECT,
         "baseline": [{"type": "unconsolidated"}, {"type": "dedicated", "price": "876 EUR"}]},
        "1 of 11 VMs was rejected and 9.09 % of the requested CPU was not served. 10 VMs ran on 2 "
        "hosts for 1 h and used 0.3 kWh. Against the same farm without consolidation (2 hosts "
        "always on, no migrations) for the 10 VMs that ran: no difference in energy or cost. "
        "Against 10 dedicated servers, one workload each (same server as the hosts of the farm, "
        "at 876 EUR each) for the 10 VMs that ran: 73 % less energy (0.3 instead of 1.1 kWh), "
        f"costing 7,008 EUR a year more ({HOUR}).",
    ),
    "an application that is too small": (
        {"workload": {"sizes": load()["sizes"]}, "baseline": {"type": "none"},
         "applications": [{"name": "a", "size": "s", "min_members": 1, "max_members": 1,
                           "load": {"type": "constant", "rate": "8 GHz"}}]},
        "75 % of the load of applications was not served. 1 VM ran on 2 hosts for 1 h and used "
        "0.22 kWh.",
    ),
    "beyond its own limit": (
        {"workload": load(1, "100 %", sizes=[load()["sizes"][0] | {"limit": "1 GHz"}]),
         "farm": farm(1)},
        "50 % of the requested CPU was not served. 1 VM ran on 1 host for 1 h and used 0.11 kWh. "
        f"No saving is claimed against 1 dedicated server {ONE_ENERGY_ONLY}: this run did 50 % of "
        "the work done there.",
    ),
}  # fmt: skip


def scenario(changes: Mapping[str, Any]) -> dict[str, Any]:
    base = {"name": "odd", "run": {"duration": "1 h"}, "farm": farm(2), "workload": load(),
            "cost": COST}  # fmt: skip
    return {**base, **changes}


def page_text(result: farmsim.Result) -> str:
    """The report as a reader sees it, without what draws the figures."""
    bare = re.sub(r"<(script|style).*?</\1>", "", result.report(), flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "", bare))


@pytest.mark.parametrize("name", ODD)
def test_the_verdict_of_an_odd_run_is_the_one_written_down(name: str, tmp_path: Path) -> None:
    changes, expected = ODD[name]
    result = farmsim.run(scenario(changes), out=tmp_path / "run")
    assert result.summary["verdict"] == expected
    assert summary_text(result).splitlines()[0] == expected
    assert expected in page_text(result)
    assert expected in html.unescape(result._repr_html_())
    again = farmsim.load(tmp_path / "run")
    assert again.summary["verdict"] == expected
    assert len(again.baselines) == len(result.baselines)
    for each in result.summary["baselines"]:
        assert each["sentence"] in page_text(again)


def test_all_vms_gone_half_way(tmp_path: Path) -> None:
    """Two VMs with 1 GHz each: 120 W for half an hour, then the idle host alone."""
    rows = ["arrival,lifetime,vcpus,memory,utilisation", *["0,1800,2,4,50"] * 2]
    (tmp_path / "vms.csv").write_text("\n".join(rows) + "\n")
    source = {"type": "table", "path": "vms.csv", "clock": "1 GHz", "utilisation_unit": "percent"}
    written = scenario({"workload": {"arrivals": source}, "farm": farm(1),
                        "baseline": {"type": "none"}})  # fmt: skip
    result = farmsim.run(farmsim.Scenario.of(written, tmp_path))
    assert result.summary["verdict"] == (
        "2 VMs ran on 1 host for 1 h and used 0.11 kWh. All requested CPU was served."
    )


def test_a_load_that_ends_early(tmp_path: Path) -> None:
    """Half an hour of load in a run of an hour, and VMs that leave with it."""
    rows = ["time,vm-1", *[f"{300 * slot},50" for slot in range(6)]]
    (tmp_path / "load.csv").write_text("\n".join(rows) + "\n")
    source = {"type": "csv", "path": "load.csv"}
    workload = {"source": source, "sizes": load()["sizes"], "on_end": "stop"}
    written = scenario({"workload": workload, "farm": farm(1), "baseline": {"type": "none"}})
    result = farmsim.run(farmsim.Scenario.of(written, tmp_path))
    assert result.summary["verdict"] == (
        "1 VM ran on 1 host for 1 h and used 0.105 kWh. All requested CPU was served."
    )


def test_names_are_shown_as_they_are_written() -> None:
    """A baseline's sentence with a name that looks like markup is text on the page."""
    hosts = [{"name": "<b>h</b>", "server": SERVER, "count": 1}]
    result = farmsim.run(scenario({"farm": {"hosts": hosts}, "workload": load(1)}))
    assert "<b>h</b>" not in re.sub(r"<script.*?</script>", "", result.report(), flags=re.DOTALL)
