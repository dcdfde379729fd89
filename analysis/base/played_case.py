"""A case that has been run, with its outcome."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import pyarrow as pa

from ...models.base.lazy_dataclass import dataclass
from ...models.farm.farm import Farm
from ...scenarios.build.build import Case
from ...scenarios.spec.scenario_data import ScenarioData
from ...sim.base.log import Column
from ...sim.outcome import Outcome
from ...sim.records.accounts import Accounts
from .table_columns import Names, words


@dataclass(frozen=True)
class PlayedCase:
    """Input of all topics: a case with its labels, and the outcome of its engine.

    ``case`` holds what the run was built from (scenario, load, host models, prices, rules),
    ``outcome`` what the engine left behind. The farm of both is the same, at the end of the run.
    """

    case: Case
    outcome: Outcome

    @property
    def scenario(self) -> ScenarioData:
        """The scenario that was built."""
        return self.case.scenario

    @property
    def currency(self) -> str:
        """Currency of all costs."""
        return self.case.scenario.cost.currency

    @property
    def farm(self) -> Farm:
        """The farm as the run ended; integrals and extremes are in its accounts."""
        return self.outcome.farm

    @property
    def accounts(self) -> Accounts:
        """Accounts of bounds, response times, tenants and the microscope."""
        return self.outcome.accounts

    @property
    def end_s(self) -> float:
        """Length of the run in s.

        That of ``run.duration``, or earlier where the run was stopped at an instant.
        """
        return self.outcome.end_s

    @property
    def records(self) -> Mapping[str, Mapping[str, Column]]:
        """Columns by record, as the recorder wrote them: hosts, VMs and texts by number."""
        return self.outcome.tables

    @cached_property
    def names(self) -> Names:
        """Names of hosts and VMs."""
        return Names(self.farm.hosts.names, self.farm.vms.names)

    def texts(self, codes: Any) -> pa.DictionaryArray:
        """Return the texts that a record holds by number.

        ``codes`` are positions in the texts of the outcome, (rows,); null where negative.
        """
        return words(codes, self.outcome.words)
