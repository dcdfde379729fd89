"""Scaling ahead of a forecast: members are asked for before the load is there."""

from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from .forecast import Forecaster, LinearTrend, peak_ahead, samples_of
from .scaling import ApplicationView, Wanted, enough


@dataclass(frozen=True)
class PredictiveScaling:
    """Run as many members as the load forecast within a horizon needs at a target utilisation.

    The present load counts as well, so there are never fewer members than it needs.
    """

    forecaster: Forecaster = parameter(
        "Forecast of the load.", LinearTrend(reach_s=900.0), slot="forecast"
    )
    horizon_s: float = parameter(
        "Forecast horizon; at least the time until a new member runs.",
        600.0,
        key="horizon",
        dimension="time",
        gt=0,
    )
    target: float = parameter(
        "Target utilisation of the members at the forecast load.",
        0.6,
        dimension="share",
        gt=0,
        le=1,
    )

    def decide(self, view: ApplicationView) -> Wanted:
        """Return the members that the highest load ahead needs."""
        reach = samples_of(self.forecaster, view.step_s)
        history = view.load_mhz[-reach:, None]
        load_mhz = float(peak_ahead(self.forecaster, history, view.step_s, self.horizon_s)[0])
        measured = load_mhz / (view.members * view.capacity_mhz)
        members = enough(load_mhz, self.target, view.capacity_mhz)
        return Wanted(members, "forecast", measured, self.target)
