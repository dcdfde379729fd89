"""What a reader has to know of the load of a run: how much of it was recorded."""

from ...scenarios.build.build import Case
from ...scenarios.language.units import write

AFTER_THE_END = {
    "hold": "its last values are held",
    "loop": "it is gone through again from the start",
    "stop": "its VMs are stopped",
}


def short_recordings(case: Case) -> list[str]:
    """Return a warning for each recorded load that ends before the run does.

    The share of the run is ``1 - length / duration``.
    """
    duration_s = case.scenario.run.duration
    return [
        f"The load ({each.name}) lasts {_span(each.length_s)}, the run {_span(duration_s)}: for "
        f"{_percent(1 - each.length_s / duration_s)} of the run {AFTER_THE_END[each.on_end]}."
        for each in case.load.recordings
        if each.length_s < duration_s
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _span(span_s: float) -> str:
    """Return a time as text, rounded to a second where it is no round number."""
    text = str(write(span_s, "time"))
    return text if len(text) <= 12 else str(write(float(round(span_s)), "time"))
