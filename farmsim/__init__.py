"""farmsim: a discrete-event simulator of consolidated server farms.

>>> import farmsim
>>> result = farmsim.run("library/first-steps")  # doctest: +SKIP
>>> result.summary["verdict"]  # doctest: +SKIP

Everything is imported when it is first used, so that the command line starts at once.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis.api import compare, failover, headroom, load, optimum, run, size
    from .analysis.run.result import Result
    from .analysis.studies.compare import Comparison
    from .policies.catalogue import register
    from .scenarios.errors.problems import InputError, PolicyError
    from .scenarios.scenario import Scenario
    from .scenarios.variants import Levels

__all__ = [
    "Comparison",
    "InputError",
    "Levels",
    "PolicyError",
    "Result",
    "Scenario",
    "__version__",
    "compare",
    "failover",
    "headroom",
    "load",
    "optimum",
    "register",
    "run",
    "size",
]
__version__ = "0.1.0"

_WHERE = {
    "run": "analysis.api",
    "compare": "analysis.api",
    "Comparison": "analysis.studies.compare",
    "Levels": "scenarios.variants",
    "load": "analysis.api",
    "failover": "analysis.api",
    "headroom": "analysis.api",
    "size": "analysis.api",
    "optimum": "analysis.api",
    "Result": "analysis.run.result",
    "register": "policies.catalogue",
    "InputError": "scenarios.errors.problems",
    "PolicyError": "scenarios.errors.problems",
    "Scenario": "scenarios.scenario",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used. Raises AttributeError for all other names."""
    if name not in _WHERE:
        raise AttributeError(f"module 'farmsim' has no attribute {name!r}")
    found = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    # A dataclass is generated now, so that help shows its parameters before it is used.
    getattr(found, "__dataclass_fields__", None)
    return found


def __dir__() -> list[str]:
    """Return the public names only, so that completion offers nothing else."""
    return __all__
