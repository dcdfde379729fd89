"""What a host takes to switch, and the states of rest that it has."""

from typing import Any, Literal

from pydantic import Field

from ...models.hardware.sleep_states import SLEEP_STATES
from ..language.fields import Part, problem
from ..language.value_types import Seconds, Watts


class Switching(Part):
    """How long a host takes to come up or to go to rest, and the power it draws meanwhile."""

    duration: Seconds = Field(description="How long it takes; 0 s switches at once.")
    power: Watts | None = Field(
        None, description="Power meanwhile; if absent, full power to come up, idle power to stop."
    )


class SleepPart(Part):
    """A state of rest besides off; what is absent is as in docs/power.md."""

    state: Literal[SLEEP_STATES[1:]] = Field(  # type: ignore[valid-type]
        description="Which state it is."
    )
    power: Watts | None = Field(None, description="Power in the state.")
    entry: Switching | None = Field(None, description="The way into the state.")
    exit: Switching | None = Field(None, description="The way out of the state.")


def check_states(states: tuple[SleepPart, ...] | None) -> tuple[SleepPart, ...] | None:
    """Return the states of a group if each stands there once."""
    names = [each.state for each in states or ()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise problem(f"{twice[0]} stands there twice; describe each state of rest once")
    return states


def states_of(group: Any) -> tuple[str, ...]:
    """Return the states of rest besides off that hosts of a group have."""
    if group.sleep is None:
        return SLEEP_STATES[1:]
    return tuple(each.state for each in group.sleep)
