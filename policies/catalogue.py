"""The policies that a scenario can name: one table per kind, one line per policy."""

from dataclasses import is_dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from .control.balance import Balance
from .control.combined import Combined
from .control.consolidation import Consolidation
from .control.control import NoControl, PowerProportional
from .control.drain import NoDrain
from .control.dynamic_power import DynamicPower
from .control.evacuation import Evacuation
from .control.least_utilised import LeastUtilised
from .control.reassign import Reassign
from .overload.adaptive_threshold import InterquartileRange, MedianAbsoluteDeviation
from .overload.local_regression import LocalRegression, RobustLocalRegression
from .overload.static_threshold import StaticThreshold
from .placement_algorithms.best_fit import BestFit
from .placement_algorithms.best_fit_decreasing import BestFitDecreasing
from .placement_algorithms.dot_product import DotProduct
from .placement_algorithms.first_fit import FirstFit
from .placement_algorithms.first_fit_decreasing import FirstFitDecreasing
from .placement_algorithms.power_aware import PowerAwareBestFitDecreasing
from .placement_algorithms.random_fit import RandomFit
from .placement_algorithms.round_robin import RoundRobin
from .placement_algorithms.worst_fit import WorstFit
from .scaling.forecast import LastValue, LinearTrend, MovingAverage, Seasonal
from .scaling.predictive_scaling import PredictiveScaling
from .scaling.scheduled_scaling import ScheduledScaling
from .scaling.step_scaling import StepScaling
from .scaling.target_utilisation import TargetUtilisation
from .scaling.vertical_scaling import VerticalScaling
from .selection.maximum_correlation import MaximumCorrelation
from .selection.minimum_migration_time import MinimumMigrationTime
from .selection.minimum_utilisation import MinimumUtilisation
from .selection.random_choice import RandomChoice
from .user_policies.guard import trace_of

ENTRY_POINTS = "farmsim.policies"
"""Group of entry points through which other packages add policies, named ``kind.name``."""

POLICIES: dict[str, dict[str, type]] = {
    "placement": {
        "first_fit": FirstFit,
        "best_fit": BestFit,
        "worst_fit": WorstFit,
        "round_robin": RoundRobin,
        "random": RandomFit,
        "first_fit_decreasing": FirstFitDecreasing,
        "best_fit_decreasing": BestFitDecreasing,
        "power_aware_best_fit_decreasing": PowerAwareBestFitDecreasing,
        "dot_product": DotProduct,
    },
    "overload": {
        "static_threshold": StaticThreshold,
        "interquartile_range": InterquartileRange,
        "median_absolute_deviation": MedianAbsoluteDeviation,
        "local_regression": LocalRegression,
        "robust_local_regression": RobustLocalRegression,
    },
    "selection": {
        "minimum_migration_time": MinimumMigrationTime,
        "random": RandomChoice,
        "minimum_utilisation": MinimumUtilisation,
        "maximum_correlation": MaximumCorrelation,
    },
    "drain": {
        "least_utilised": LeastUtilised,
        "none": NoDrain,
    },
    "control": {
        "none": NoControl,
        "power_proportional": PowerProportional,
        "consolidation": Consolidation,
        "balance": Balance,
        "dynamic_power": DynamicPower,
        "combined": Combined,
        "evacuation": Evacuation,
        "reassign": Reassign,
    },
    "scaling": {
        "target_utilisation": TargetUtilisation,
        "step": StepScaling,
        "scheduled": ScheduledScaling,
        "predictive": PredictiveScaling,
        "vertical": VerticalScaling,
    },
    "forecast": {
        "last_value": LastValue,
        "moving_average": MovingAverage,
        "linear_trend": LinearTrend,
        "seasonal": Seasonal,
    },
}

_added: dict[str, dict[str, type]] = {kind: {} for kind in POLICIES}


def register(kind: str, name: str, policy: type) -> None:
    """Make a policy available under a name in this process.

    Raises ValueError if the kind does not exist or farmsim has a policy of that name.
    """
    if kind not in POLICIES:
        raise ValueError(f"no policy kind {kind!r}; there are {', '.join(POLICIES)}")
    if name in POLICIES[kind]:
        raise ValueError(f"the {kind} policy {name!r} exists already")
    _added[kind][name] = policy


def available(kind: str) -> dict[str, type]:
    """Return the policies of a kind by name: shipped, installed and registered.

    An installed one that cannot be loaded is left out; see :func:`broken_plugin`.
    """
    found = dict(POLICIES[kind])
    for entry in _installed():
        entry_kind, _, name = entry.name.partition(".")
        if entry_kind == kind and name not in found:
            policy, _ = _loaded(entry)
            if policy is not None:
                found[name] = policy
    return found | _added[kind]


def broken_plugin(kind: str, name: str) -> str:
    """Return why an installed policy of a name cannot be used; empty if there is none such."""
    for entry in _installed():
        if entry.name == f"{kind}.{name}":
            _, why = _loaded(entry)
            if why:
                package = entry.dist.name if entry.dist else entry.value
                return f"the {kind} policy {name!r} of package {package} cannot be loaded: {why}"
    return ""


@cache
def _loaded(entry: EntryPoint) -> tuple[type | None, str]:
    """Load an entry point; return the policy, or None and why not."""
    try:
        policy = entry.load()
    except (Exception, SystemExit) as error:  # somebody else's code may do anything
        text = f"{type(error).__name__}: {error}"
        return None, f"{text}; mend or uninstall the package\n{trace_of(error)}"
    if not isinstance(policy, type) or not is_dataclass(policy):
        return None, f"{entry.value} is not a dataclass; a policy is a frozen dataclass"
    return policy, ""


@cache
def _installed() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=ENTRY_POINTS))
