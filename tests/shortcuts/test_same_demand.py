"""A slot with the demand of the one before leaves all rates as they are, to the last bit."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from builders import make_farm, make_hosts, make_vms
from farm_draws import Mapping, farms, scenario
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import farmsim
from farmsim.models.accounts.levels_over_time import Levels
from farmsim.models.farm.farm_rates import FarmRates

ALIKE = 3
"""Slots in a row with equal demand."""


def repeat_rows(file: Path) -> None:
    """Let a load stay the same for some slots in a row."""
    header, *rows = file.read_text().splitlines()
    loads = [row.partition(",")[2] for row in rows]
    held = [f"{300 * at},{loads[at - at % ALIKE]}" for at in range(len(rows))]
    file.write_text("\n".join([header, *held]) + "\n")


class AlwaysTrue:
    """An attribute that stays true."""

    def __get__(self, levels: Levels | None, owner: type) -> bool:
        return True

    def __set__(self, levels: Levels, value: bool) -> None:
        pass


def results(mapping: Mapping, folder: Path) -> tuple[dict[str, Any], str]:
    result = farmsim.run(farmsim.Scenario.of(mapping, folder))
    figures = {name: value for name, value in result.summary.items() if isinstance(value, dict)}
    return dict(result.tables), repr(figures)


REFRESH_ALL = FarmRates.refresh_all


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drawn=farms(arrivals=st.just(False)))
def test_nothing_changes(drawn: Mapping, tmp_path: Path) -> None:
    mapping = scenario(drawn, tmp_path)
    repeat_rows(tmp_path / "load.csv")
    tables, summary = results(mapping, tmp_path)
    with patch.object(Levels, "shifted", AlwaysTrue(), create=True):
        plain_tables, plain_summary = results(mapping, tmp_path)
    assert summary == plain_summary
    assert tables.keys() == plain_tables.keys()
    for name, table in tables.items():
        assert table.equals(plain_tables[name]), name


def test_rates_are_computed_only_after_a_change() -> None:
    farm = make_farm(make_hosts([4000.0] * 2), make_vms([1000.0] * 2))
    farm.place(np.arange(2), np.arange(2), 0.0)
    demand_mhz = np.array([100.0, 200.0])
    with patch.object(FarmRates, "refresh_all", autospec=True) as refreshed:
        refreshed.side_effect = REFRESH_ALL
        for slot, (factor, refreshes) in enumerate([(1, 1), (1, 1), (2, 2), (2, 2)]):
            farm.set_demand(demand_mhz * factor, 300.0 * slot)
            assert refreshed.call_count == refreshes
        farm.begin_migration(np.array([0]), np.array([1]), 950.0)
        farm.set_demand(demand_mhz * 2, 1200.0)
        assert refreshed.call_count == 3
        farm.set_demand(demand_mhz * 2, 1500.0)
        assert refreshed.call_count == 3
