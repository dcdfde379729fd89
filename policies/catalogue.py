"""The policies that a scenario can name: one table per kind, one line per policy."""

import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..models.base.named_classes import NamedClasses
from ..models.migration.fixed_rate import MIGRATION_MODELS
from .user_policies.functions import class_of, flaw_of_function, is_function
from .user_policies.guard import describe_error, trace_of
from .user_policies.kinds import flaw_of_class

ENTRY_POINTS = "farmsim.policies"
"""Group of entry points through which other packages add policies, named ``kind.name``."""

_SHIPPED: dict[str, dict[str, str]] = {
    "placement": {
        "first_fit": "placement_algorithms.first_fit:FirstFit",
        "best_fit": "placement_algorithms.best_fit:BestFit",
        "worst_fit": "placement_algorithms.worst_fit:WorstFit",
        "round_robin": "placement_algorithms.round_robin:RoundRobin",
        "random": "placement_algorithms.random_fit:RandomFit",
        "first_fit_decreasing": "placement_algorithms.first_fit:FirstFitDecreasing",
        "best_fit_decreasing": "placement_algorithms.best_fit:BestFitDecreasing",
        "power_aware_best_fit_decreasing": (
            "placement_algorithms.power_aware:PowerAwareBestFitDecreasing"
        ),
        "dot_product": "placement_algorithms.dot_product:DotProduct",
    },
    "overload": {
        "static_threshold": "overload.static_threshold:StaticThreshold",
        "interquartile_range": "overload.adaptive_threshold:InterquartileRange",
        "median_absolute_deviation": "overload.adaptive_threshold:MedianAbsoluteDeviation",
        "local_regression": "overload.local_regression:LocalRegression",
        "robust_local_regression": "overload.local_regression:RobustLocalRegression",
    },
    "selection": {
        "minimum_migration_time": "selection.minimum_migration_time:MinimumMigrationTime",
        "random": "selection.random_choice:RandomChoice",
        "minimum_utilisation": "selection.minimum_utilisation:MinimumUtilisation",
        "maximum_correlation": "selection.maximum_correlation:MaximumCorrelation",
    },
    "drain": {
        "least_utilised": "control.drain:LeastUtilised",
        "none": "control.drain:NoDrain",
    },
    "control": {
        "none": "control.control:NoControl",
        "power_proportional": "control.control:PowerProportional",
        "consolidation": "control.consolidation:Consolidation",
        "balance": "control.balance:Balance",
        "dynamic_power": "control.dynamic_power:DynamicPower",
        "combined": "control.combined:Combined",
        "evacuation": "control.evacuation:Evacuation",
        "reassign": "control.reassign:Reassign",
    },
    "scaling": {
        "target_utilisation": "scaling.target_utilisation:TargetUtilisation",
        "step": "scaling.step_scaling:StepScaling",
        "scheduled": "scaling.scheduled_scaling:ScheduledScaling",
        "predictive": "scaling.predictive_scaling:PredictiveScaling",
        "vertical": "scaling.vertical_scaling:VerticalScaling",
    },
    "forecast": {
        "last_value": "scaling.forecast:LastValue",
        "moving_average": "scaling.forecast:MovingAverage",
        "linear_trend": "scaling.forecast:LinearTrend",
        "seasonal": "scaling.forecast:Seasonal",
    },
}

POLICIES = {kind: NamedClasses(__package__, where) for kind, where in _SHIPPED.items()}
"""Policies that come with farmsim, by kind and name; each is imported when it is asked for."""

KINDS: dict[str, NamedClasses] = POLICIES | {"migration": MIGRATION_MODELS}
"""All that users may add to, by kind: policies, and the models of migrations."""

_added: dict[str, dict[str, type]] = {kind: {} for kind in KINDS}


class PluginWarning(UserWarning):
    """An installed policy cannot be used; whatever does not name it works."""


def register(kind: str, name: str, policy: type | Callable[..., Any]) -> None:
    """Make a policy, a frozen dataclass or a plain function, available in this process.

    Raises ValueError if the kind does not exist or farmsim has a policy of that name, TypeError if
    the policy is not what one of its kind has to be.
    """
    if kind not in KINDS:
        raise ValueError(f"no policy kind {kind!r}; there are {', '.join(KINDS)}")
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"the name {name!r}; a policy is named by a text")
    if name in KINDS[kind]:
        raise ValueError(f"the {kind} policy {name!r} exists already; choose another name")
    _added[kind][name] = as_class(policy, kind)


def as_class(found: Any, kind: str) -> type:
    """Return the class of a policy of a kind; a function becomes one.

    Raises TypeError that says what is wrong and what would be right.
    """
    function = is_function(found)
    wrong = flaw_of_function(found, kind) if function else flaw_of_class(found, kind)
    if wrong is not None:
        name = getattr(found, "__qualname__", repr(found))
        raise TypeError(f"{name} is no {kind} policy: {'; '.join(wrong)}")
    cls: type = class_of(found, kind) if function else found
    return cls


def available(kind: str) -> NamedClasses:
    """Return the policies of a kind by name: shipped, installed and registered.

    Shipped ones are imported when they are asked for. An installed one that cannot be loaded is
    left out with a :class:`PluginWarning`, once.
    """
    return KINDS[kind].and_others(of_others(kind))


def of_others(kind: str) -> dict[str, type]:
    """Return the policies of a kind that are installed or registered, by name."""
    found: dict[str, type] = {}
    for entry in _installed():
        entry_kind, _, name = entry.name.partition(".")
        if entry_kind == kind:
            policy, why = _loaded(entry)
            if policy is not None:
                found[name] = policy
            else:
                _warn_of(entry, why)
    return found | _added[kind]


def broken_plugin(kind: str, name: str) -> str:
    """Return why an installed policy of a name cannot be used; empty if there is none such."""
    for entry in _installed():
        if entry.name == f"{kind}.{name}":
            _, why = _loaded(entry)
            if why:
                return f"the {kind} policy {name!r} of package {_package(entry)} {why}"
    return ""


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else entry.value


@cache
def _warn_of(entry: EntryPoint, why: str) -> None:
    """Say once what is wrong with an installed policy, without the traceback."""
    text = f"the policy {entry.name!r} of package {_package(entry)} {why}".partition("\n")[0]
    warnings.warn(text, PluginWarning, stacklevel=2)


@cache
def _loaded(entry: EntryPoint) -> tuple[type | None, str]:
    """Load an entry point; return the policy, or None and why not."""
    kind = entry.name.partition(".")[0]
    try:
        with redirect_stdout(sys.stderr):
            found = entry.load()
    except (Exception, SystemExit) as error:  # somebody else's code may do anything
        text, _ = describe_error(error, "cannot be loaded")
        return None, f"{text}; repair or uninstall the package\n{trace_of(error)}"
    try:
        return as_class(found, kind), ""
    except TypeError as error:
        return None, f"cannot be used: {error}"


@cache
def _installed() -> tuple[EntryPoint, ...]:
    """Return the entry points of other packages, each of a kind that exists and a new name."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=ENTRY_POINTS):
        kind, _, name = entry.name.partition(".")
        if kind not in KINDS or not name:
            _warn_of(entry, f"is of no kind; fill it in KIND.NAME, KIND one of {', '.join(KINDS)}")
        elif name in KINDS[kind] or entry.name in found:
            _warn_of(entry, "has a name that is taken; it is not used")
        else:
            found[entry.name] = entry
    return tuple(found.values())
