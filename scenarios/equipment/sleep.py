"""Sleep states of hosts, and transitions between power states."""

from typing import Any, Literal

from pydantic import Field

from ...models.hardware.sleep_states import SLEEP_STATES
from ..language.fields import Part, problem
from ..language.value_types import Seconds, Watts


class Switching(Part):
    """Duration and power of a transition between host power states.

    Absent, a host boots in 260 s (Gandhi et al. 2012) and shuts down in 60 s; sleep states have the
    figures of docs/power.md. An example for a faster server: `{duration: 90 s, power: 120 W}`.

    A host that is switching serves no VM, and the energy of the switch is counted like any other.
    """

    duration: Seconds = Field(description="Duration; 0 s: immediately.")
    power: Watts | None = Field(
        None,
        description="Power during the transition; default: full power to boot or wake, idle "
        "power to stop or sleep.",
    )


class SleepPart(Part):
    """A sleep state besides off; defaults are in docs/power.md.

    Deeper states draw less and take longer to leave, so that a policy that sleeps hosts too often
    pays for it. An example, suspend to RAM with measured figures: `{state: suspend_to_ram, power: 9
    W, exit: {duration: 10 s}}`.
    """

    state: Literal[SLEEP_STATES[1:]] = Field(  # type: ignore[valid-type]
        description="The sleep state."
    )
    power: Watts | None = Field(None, description="Power in the state.")
    entry: Switching | None = Field(None, description="Transition into the state.")
    exit: Switching | None = Field(None, description="Transition out of the state.")


def check_states(states: tuple[SleepPart, ...] | None) -> tuple[SleepPart, ...] | None:
    """Return the states of a group if each stands there once.

    The states are returned unchanged, None included, which stands for all states. Raises the error
    of a field (see `problem`) at `farm.hosts.N.sleep` for the first name that is there twice.
    """
    names = [each.state for each in states or ()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise problem(f"{twice[0]} is listed twice; list each sleep state once")
    return states


def states_of(group: Any) -> tuple[str, ...]:
    """Return the sleep states besides off that hosts of a group have.

    ``group`` is a HostGroup. Without ``sleep`` it has every state of SLEEP_STATES; with an empty
    list it has none and can only be switched off.
    """
    if group.sleep is None:
        return SLEEP_STATES[1:]
    return tuple(each.state for each in group.sleep)
