"""Check periods and instants against the length of a run, to refuse runs with too many steps.

Compared are the rounds of control and scaling, the intervals of the series and the steps of the
load.
"""

from collections.abc import Iterator

from ..language.fields import Fault
from ..language.units import write
from ..spec.spec import Spec

MAX_ROUNDS = 5_000_000


def faults_of_times(spec: Spec) -> Iterator[Fault]:
    """Yield the periods of which a run would have more than it can take, and what it ends before.

    That is more than MAX_ROUNDS in its duration; the fault tells the shortest period that may be.

    The limit is far above what is useful (a year in steps of 10 s has about 3 million) and keeps a
    mistaken unit from making a run that never ends.
    """
    duration_s = spec.run.duration
    periods: list[tuple[tuple[str | int, ...], float]] = [
        (("policies", "every"), spec.policies.every),
        (("run", "report_every"), spec.run.report_every),
    ]
    if spec.applications:
        periods.append((("policies", "scaling_every"), spec.policies.scaling_every))
    step_s = getattr(spec.workload.source, "step", None)
    if step_s is not None:
        periods.append((("workload", "source", "step"), step_s))
    for place, period_s in periods:
        if duration_s / period_s > MAX_ROUNDS:
            message = (
                f"{write(period_s, 'time')} is {duration_s / period_s:,.0f} times in the "
                f"{write(duration_s, 'time')} of the run, more than {MAX_ROUNDS:,}; write "
                f"{write(float(-(-duration_s // MAX_ROUNDS)), 'time')} or more, or shorten the run"
            )
            yield place, message
    calibrate = spec.farm.calibrate
    if calibrate is not None and calibrate.measured_power and calibrate.at >= duration_s:
        message = (
            f"the run ends at {write(duration_s, 'time')}, not after the measurement at "
            f"{write(calibrate.at, 'time')}; name an earlier one, or run longer"
        )
        yield ("farm", "calibrate", "at"), message
