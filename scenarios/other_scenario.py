"""Another scenario file as a baseline: read, and refused where it cannot be compared."""

from .errors.problems import refuse
from .loader import Written, read
from .scenario import Scenario, validated
from .spec.spec import OtherScenario


def check_others(scenario: Scenario) -> None:
    """Check what other scenario files say, without their loads. Raises InputError."""
    for baseline in scenario.baseline:
        if isinstance(baseline, OtherScenario):
            read_other(scenario, baseline)


def read_other(scenario: Scenario, baseline: OtherScenario) -> tuple[Written, Scenario]:
    """Read another scenario. Raises InputError if it counts in another currency."""
    written = read(scenario.folder / baseline.path)
    other = validated(written)
    mine, found = scenario.cost.currency, other.cost.currency
    if found != mine:
        place, path = place_of(written, ("cost", "currency"))
        message = f"counts in {found}, {scenario.name} in {mine}; write both in one currency"
        raise refuse(place, message, path)
    return written, other


def place_of(written: Written, path: tuple[str, ...]) -> tuple[str, str]:
    """Return file, line and column of a value, and its dotted path."""
    line, column = written.document.find(path)
    return f"{written.where}:{line}:{column}", ".".join(path)
