"""Racks: their power over time, its mean and maximum, and the time above a limit."""

from typing import Any

import numpy as np

from ....models.accounts.accounts import Rate
from ....models.base.arrays import sum_by
from ....models.base.cost import JOULE_PER_KWH
from ...base.played_case import PlayedCase
from ...base.run_tables import RunTables
from ...base.table_columns import Made, words
from ...base.topic import Topic, TopicTable
from ...base.units_and_ratios import S_PER_H, nullable

TABLE, SERIES = "racks", "rack_power"
ONLY = "Only with `farm.rack_power_limit`, or with `run.host_series` and `farm.hosts_per_rack`."


def known(run: PlayedCase) -> bool:
    """Whether the power of racks was followed."""
    return run.accounts.racks is not None


def racks_table(run: PlayedCase) -> dict[str, Made]:
    """Return one row per rack: its power over the run, exact, and its limit."""
    assert run.accounts.racks is not None
    racks, hosts = run.accounts.racks.racks, run.farm.hosts
    count = len(racks.limit_w)
    energy_j = sum_by(racks.rack, weights=run.farm.accounts.totals[Rate.POWER_W], minlength=count)
    limited = np.isfinite(racks.limit_w)
    return {
        "rack": (words(np.arange(count), hosts.rack_names), "", "Name of the rack."),
        "hosts": (np.bincount(racks.rack, minlength=count), "hosts", "Hosts in it."),
        "power_mean_w": (energy_j / run.end_s, "W", "Power of its hosts, mean over the run."),
        "power_max_w": (racks.peak_w, "W", "Highest power that lasted for any time."),
        "limit_w": (nullable(racks.limit_w, ~limited), "W", "Its limit; null: none."),
        "over_limit_h": (
            nullable(racks.over_s / S_PER_H, ~limited),
            "h",
            "Time for which it drew more than its limit; null: it has none.",
        ),
        "energy_kwh": (energy_j / JOULE_PER_KWH, "kWh", "Energy used by its hosts."),
    }


def rack_power(run: PlayedCase) -> dict[str, Made]:
    """Return the power of each rack in each reporting interval: mean and highest."""
    table = run.records[SERIES]
    return {
        "rack": (words(table["rack"], run.farm.hosts.rack_names), "", "Name of the rack."),
        "time_s": (table["time_s"] - table["length_s"], "s", "Start of the interval."),
        "interval_s": (table["length_s"], "s", "Length of the interval."),
        "power_w": (table["power_w"], "W", "Power of its hosts, mean over the interval."),
        "power_max_w": (table["highest_w"], "W", "Highest power within the interval."),
    }


def racks_over_limit(run: PlayedCase) -> list[str]:
    """Return a sentence on racks that drew more than their limit, if any did."""
    if run.accounts.racks is None:
        return []
    racks = run.accounts.racks.racks
    over = np.flatnonzero(racks.over_s > 0)
    if not len(over):
        return []
    worst = int(over[np.argmax(racks.peak_w[over] / racks.limit_w[over])])
    name, hours = run.farm.hosts.rack_names[worst], float(racks.over_s[worst]) / S_PER_H
    many = "1 rack" if len(over) == 1 else f"{len(over):,} racks"
    return [
        f"{many} drew more than the power limit: {name} up to {racks.peak_w[worst]:,.0f} W of "
        f"{racks.limit_w[worst]:,.0f} W, above it for {hours:.3g} h."
    ]


def rack_rows(result: RunTables) -> list[dict[str, Any]]:
    """Return the rows of the table of racks for the report, none where they were not followed."""
    return result.table(TABLE).to_pylist() if TABLE in result.tables else []


RACKS = Topic(
    name="racks",
    tables=(
        TopicTable(TABLE, racks_table, known, ONLY),
        TopicTable(SERIES, rack_power, known, ONLY),
    ),
    facts={"racks": rack_rows},
)
