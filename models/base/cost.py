"""Money: energy, capital, savings and payback."""

JOULE_PER_KWH = 3.6e6
YEAR_S = 365 * 86_400.0


def energy_cost(energy_kwh: float, pue: float, price_per_kwh: float) -> float:
    """Return what energy costs: ``energy * PUE * tariff``."""
    return energy_kwh * pue * price_per_kwh


def capital_cost(price: float, lifetime_s: float, duration_s: float) -> float:
    """Return the part of a price that falls on a duration, spread evenly over the lifetime."""
    return price * duration_s / lifetime_s


def per_year(amount: float, duration_s: float) -> float:
    """Extrapolate an amount over a duration to a year of 365 days."""
    return amount * YEAR_S / duration_s


def payback_years(investment: float, saved_per_year: float) -> float | None:
    """Return the simple payback time, ``investment / saving per year``; None: never."""
    return investment / saved_per_year if saved_per_year > 0 else None
