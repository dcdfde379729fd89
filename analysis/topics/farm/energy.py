"""Energy and power of the servers and of the site."""

from ....models.accounts.accounts import Rate
from ....models.base.cost import JOULE_PER_KWH
from ...base.played_case import PlayedCase
from ...base.topic import Section, Topic


def energy_values(run: PlayedCase) -> dict[str, float]:
    """Return energy and power by name, of all hosts: those that are not paid for included.

    What these drew is taken off in ``measure/metrics.py``.

    Energy is the integral of the power of all servers, from the power model of each, booting and
    stopping included. That of the site is PUE times as much: cooling and distribution are not
    simulated. ``peak_power_w`` is the highest sum over hosts at any instant.
    """
    accounts = run.farm.accounts
    energy_j = float(accounts.totals[Rate.POWER_W].sum())
    return {
        "energy_kwh": energy_j / JOULE_PER_KWH,
        "facility_energy_kwh": energy_j / JOULE_PER_KWH * run.scenario.cost.pue,
        "mean_power_w": energy_j / run.end_s,
        "peak_power_w": accounts.levels.peak_w,
    }


ENERGY = Topic(
    name="energy",
    values=energy_values,
    section=Section(
        "Energy",
        (
            "energy_kwh",
            "facility_energy_kwh",
            "energy_excluded_kwh",
            "mean_power_w",
            "peak_power_w",
            "energy_per_work",
        ),
    ),
)
