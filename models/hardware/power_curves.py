"""Electric power of a server as a function of its CPU utilisation.

Every model maps utilisation ``u`` in [0, 1] to watts and is a pure function over arrays.
Formulas other than the table interpolate between idle and full power,
``P(u) = P_idle + (P_max - P_idle) * g(u)``; the catalogue of ``g`` follows Fan, Weber and
Barroso (ISCA 2007) and the models that OpenDC, DSLab and CloudSim use.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from ..base.arrays import Floats, Ints, distinct, single_ints, singles
from ..base.lazy_dataclass import dataclass
from ..base.parameters import parameter
from .dvfs import FrequencyScaling

LEVELS = 11
"""SPECpower_ssj2008 reports watts at 0, 10, …, 100 % load."""


class PowerModel(Protocol):
    """Anything that turns utilisation into watts."""

    def watts(self, utilisation: Floats) -> Floats:
        """Return power in W for utilisations in [0, 1], element by element."""
        ...


@dataclass(frozen=True)
class Table:
    """Linear interpolation in watts measured at 0, 10, …, 100 % (SPECpower_ssj2008)."""

    watts_at: tuple[float, ...] = parameter(
        "Eleven readings in W at 0, 10, …, 100 % load.", key="watts", dimension="watt list"
    )

    def watts(self, utilisation: Floats) -> Floats:
        """Return power in W for utilisations in [0, 1], element by element."""
        levels = np.arange(LEVELS)
        power_w: Floats = np.interp(utilisation * (LEVELS - 1), levels, np.asarray(self.watts_at))
        return power_w


@dataclass(frozen=True)
class Constant:
    """The same power at every utilisation: ``P(u) = P``."""

    power_w: float = parameter("Power at any load.", key="power", dimension="power", gt=0)

    def watts(self, utilisation: Floats) -> Floats:
        """Return power in W for utilisations in [0, 1], element by element."""
        return np.full_like(utilisation, self.power_w)


@dataclass(frozen=True)
class _Between:
    idle_w: float = parameter("Power at zero load.", key="idle", dimension="power", ge=0)
    max_w: float = parameter("Power at full load.", key="max", dimension="power", gt=0)

    def __post_init__(self) -> None:
        if self.max_w < self.idle_w:
            raise ValueError(
                f"idle ({self.idle_w:g} W) is above max ({self.max_w:g} W); swap or correct them"
            )

    def shape(self, u: Floats) -> Floats:
        """Return ``g(u)``, element by element."""
        raise NotImplementedError

    def watts(self, utilisation: Floats) -> Floats:
        """Return power in W for utilisations in [0, 1], element by element."""
        return self.idle_w + (self.max_w - self.idle_w) * self.shape(utilisation)


@dataclass(frozen=True)
class Linear(_Between):
    """``g(u) = u``."""

    def shape(self, u: Floats) -> Floats:
        """Return ``g(u)``, element by element."""
        return u


@dataclass(frozen=True)
class Square(_Between):
    """``g(u) = u**2``."""

    def shape(self, u: Floats) -> Floats:
        """Return ``g(u)``, element by element."""
        return u * u


@dataclass(frozen=True)
class Cubic(_Between):
    """``g(u) = u**3``."""

    def shape(self, u: Floats) -> Floats:
        """Return ``g(u)``, element by element."""
        return u * u * u


@dataclass(frozen=True)
class SquareRoot(_Between):
    """``g(u) = sqrt(u)``."""

    def shape(self, u: Floats) -> Floats:
        """Return ``g(u)``, element by element."""
        return np.sqrt(np.maximum(u, 0.0))  # a load of 0 may be rounded to just below


@dataclass(frozen=True)
class Fan(_Between):
    """``g(u) = 2u - u**r`` (Fan, Weber and Barroso, ISCA 2007)."""

    r: float = parameter("Calibration exponent; 1.4 in the paper's fleet.", 1.4, gt=1, le=10)

    def shape(self, u: Floats) -> Floats:
        """Return ``g(u)``, element by element."""
        return 2 * u - np.maximum(u, 0.0) ** self.r


@dataclass(frozen=True)
class Asymptotic(_Between):
    """``g(u) = (1 + u - exp(-u / tau)) / 2``: rises fast at low load, then flattens (OpenDC)."""

    tau: float = parameter("Utilisation at which the fast part has mostly risen.", gt=0, le=1)

    def shape(self, u: Floats) -> Floats:
        """Return ``g(u)``, element by element."""
        return (1 + u - np.exp(-u / self.tau)) / 2


POWER_MODELS: dict[str, type] = {
    "table": Table,
    "constant": Constant,
    "linear": Linear,
    "square": Square,
    "cubic": Cubic,
    "square_root": SquareRoot,
    "fan": Fan,
    "asymptotic": Asymptotic,
    "dvfs": FrequencyScaling,
}


def adjusted(model: PowerModel, added_w: float = 0.0, factor: float = 1.0) -> PowerModel:
    """Return the model that draws ``factor * (P(u) + added_w)``, of the same kind.

    Every model of POWER_MODELS is linear in its powers, so the result is exact at every load and
    stays piecewise linear where the model is. Raises TypeError for a model that is none of these.
    """
    if added_w == 0 and factor == 1:
        return model

    def new(power_w: float) -> float:
        return factor * (power_w + added_w)

    if isinstance(model, Table):
        return Table(tuple(map(new, model.watts_at)))
    if isinstance(model, Constant):
        return Constant(new(model.power_w))
    if isinstance(model, FrequencyScaling):
        states = (
            replace(state, idle_w=new(state.idle_w), max_w=new(state.max_w))
            for state in model.states
        )
        return FrequencyScaling(tuple(states))
    if isinstance(model, _Between):
        return replace(model, idle_w=new(model.idle_w), max_w=new(model.max_w))
    raise TypeError(f"{type(model).__name__} is not a model of POWER_MODELS")


class PowerBank:
    """The power models of all hosts, evaluated for many hosts at once.

    Piecewise linear models (table, constant, linear) share one pair of coefficient tables;
    any other model is applied to the hosts that have it.
    """

    def __init__(self, models: Sequence[PowerModel], model_of_host: Ints) -> None:
        """Take the distinct ``models`` and, per host, the index of its model."""
        knots = np.linspace(0.0, 1.0, LEVELS)
        self._models = list(models)
        self._model_of_host = model_of_host
        self._first = model_of_host * LEVELS
        slope_w = np.zeros((len(models), LEVELS))
        offset_w = np.zeros((len(models), LEVELS))
        used = set(distinct(model_of_host).tolist())
        self._highest_w = 0.0
        for index, model in enumerate(models):
            watts = model.watts(knots)
            slope_w[index, :-1] = np.diff(watts)
            offset_w[index, :-1] = watts[:-1] - slope_w[index, :-1] * np.arange(LEVELS - 1)
            offset_w[index, -1] = watts[-1]
            if index in used:
                self._highest_w = max(self._highest_w, float(watts.max()))
        self._slope_w, self._offset_w = slope_w.ravel(), offset_w.ravel()
        self._slope_of, self._offset_of = singles(self._slope_w), singles(self._offset_w)
        self._first_of = single_ints(self._first)
        self._curved = [
            index
            for index in sorted(used)
            if not isinstance(models[index], Table | Constant | Linear)
        ]

    @property
    def max_power_w(self) -> float:
        """Maximum power of any host at the load levels 0, 10, …, 100 %, in W."""
        return self._highest_w

    def watts(self, utilisation: Floats, hosts: Ints | slice = slice(None)) -> Floats:
        """Return W for one utilisation per host named; values above 1 count as 1."""
        level = np.minimum(utilisation * (LEVELS - 1), LEVELS - 1)
        return self._at(level, self._first[hosts], self._model_of_host[hosts])

    def jumps(self, host: int) -> tuple[float, ...]:
        """Return the utilisations at which the power of a host jumps; none for most models."""
        model = self._models[int(self._model_of_host[host])]
        return model.jumps if isinstance(model, FrequencyScaling) else ()

    def watts_of(self, host: int, utilisation: float) -> float:
        """Return W of one host, equal to what :meth:`watts` gives."""
        if self._curved:
            return float(self.watts(np.array([utilisation]), np.array([host]))[0])
        level = min(utilisation * (LEVELS - 1), LEVELS - 1.0)
        segment = int(level) + self._first_of[host]
        return self._slope_of[segment] * level + self._offset_of[segment]

    def _at(self, level: Floats, first: Ints, model_of_host: Ints) -> Floats:
        segment = level.astype(np.int64)
        segment += first
        power_w: Floats = self._slope_w.take(segment)
        power_w *= level
        power_w += self._offset_w.take(segment)
        for index in self._curved:
            own = model_of_host == index
            power_w[..., own] = self._models[index].watts(level[..., own] / (LEVELS - 1))
        return power_w

    def of_load(self, hosts: Ints, cpu_mhz: Floats) -> "LoadPower":
        """Return the power of some hosts as a function of their load in MHz."""
        return LoadPower(self, hosts, cpu_mhz)


class LoadPower:
    """Power of a fixed selection of hosts by load; hosts are numbered by position."""

    def __init__(self, bank: PowerBank, hosts: Ints, cpu_mhz: Floats) -> None:
        self._bank = bank
        self._levels_per_mhz = (LEVELS - 1) / cpu_mhz
        self._first, self._model_of_host = bank._first[hosts], bank._model_of_host[hosts]
        self._firsts: list[int] = self._first.tolist()
        self._scales: list[float] = self._levels_per_mhz.tolist()
        self._slopes_w: list[float] = bank._slope_w.tolist()
        self._offsets_w: list[float] = bank._offset_w.tolist()

    def watts(self, load_mhz: Floats, places: Ints | slice = slice(None)) -> Floats:
        """Return W for loads of shape (…, places); loads above capacity count as capacity."""
        level = load_mhz * self._levels_per_mhz[places]
        np.minimum(level, LEVELS - 1, out=level)
        return self._bank._at(level, self._first[places], self._model_of_host[places])

    def watts_at(self, place: int, load_mhz: float) -> float:
        """Return W of one host at one load, equal to what :meth:`watts` gives."""
        level = min(load_mhz * self._scales[place], LEVELS - 1.0)
        segment = self._firsts[place] + int(level)
        if self._bank._curved:
            model = int(self._model_of_host[place])
            if model in self._bank._curved:
                power_w = self._bank._models[model].watts(np.array([level / (LEVELS - 1)]))
                return float(power_w[0])
        return self._slopes_w[segment] * level + self._offsets_w[segment]
