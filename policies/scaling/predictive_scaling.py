"""Scaling ahead of a forecast: members are asked for before the load is there."""

from dataclasses import dataclass

from ...models.base.parameters import parameter
from .forecast import Forecaster, LinearTrend, peak_ahead, samples_of
from .scaling import ApplicationView, Wanted, enough


@dataclass(frozen=True)
class PredictiveScaling:
    """As many members as carry the highest load forecast within a horizon at a target.

    The present load counts as well, so there are never fewer than it needs.
    """

    forecaster: Forecaster = parameter(
        "What forecasts the load.", LinearTrend(reach_s=900.0), slot="forecast"
    )
    horizon_s: float = parameter(
        "How far ahead; what it takes until a member runs, or more.", 600.0, key="horizon",
        dimension="time", gt=0,
    )  # fmt: skip
    target: float = parameter(
        "Utilisation of the members at the load forecast.", 0.6, dimension="share", gt=0, le=1
    )

    def decide(self, view: ApplicationView) -> Wanted:
        """Return the members that the highest load ahead needs."""
        reach = samples_of(self.forecaster, view.step_s)
        history = view.load_mhz[-reach:, None]
        load_mhz = float(peak_ahead(self.forecaster, history, view.step_s, self.horizon_s)[0])
        measured = load_mhz / (view.members * view.capacity_mhz)
        members = enough(load_mhz, self.target, view.capacity_mhz)
        return Wanted(members, "forecast", measured, self.target)
