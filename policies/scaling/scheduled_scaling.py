"""Scaling by the clock: so many members from each time of the day or the week on."""

import math
import re

from ...models.base.lazy_dataclass import dataclass
from ...models.base.parameters import parameter
from .scaling import ApplicationView, Wanted

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_S = 86_400.0
_TIME = re.compile(rf"^(?:({'|'.join(DAYS)}) )?([01]\d|2[0-3]):([0-5]\d)$")


@dataclass(frozen=True)
class ScheduledScaling:
    """Set the number of members at times of the week; the run starts on a Monday at 00:00.

    Before the first time of the week, the last one of the previous week applies.
    """

    at: tuple[str, ...] = parameter("Times: 08:00 is every day, Fri 06:00 once a week.")
    members: tuple[int, ...] = parameter("Number of members from each of these times.", ge=1)

    def __post_init__(self) -> None:
        if len(self.at) != len(self.members):
            raise ValueError(
                f"at has {len(self.at)} entries, members {len(self.members)}; give each time its "
                "number of members"
            )
        self.week()

    def week(self) -> list[tuple[float, int]]:
        """Return the instants of a week in s, ascending, each with its members.

        Where two entries name one instant the one with a day counts. Raises ValueError for what
        is no time.
        """
        instants: dict[float, tuple[bool, int]] = {}
        for text, members in zip(self.at, self.members, strict=True):
            match = _TIME.match(text)
            if not match:
                raise ValueError(f"{text!r} is not a time; write, for example, 08:00 or Fri 06:00")
            day, hour, minute = match.groups()
            for index in [DAYS.index(day)] if day else range(len(DAYS)):
                instant_s = index * DAY_S + int(hour) * 3600.0 + int(minute) * 60.0
                if day or not instants.get(instant_s, (False, 0))[0]:
                    instants[instant_s] = (bool(day), members)
        return [(instant_s, instants[instant_s][1]) for instant_s in sorted(instants)]

    def decide(self, view: ApplicationView) -> Wanted:
        """Return the members of the last time that has passed."""
        week = self.week()
        in_week_s = view.now_s % (len(DAYS) * DAY_S)
        passed = [members for instant_s, members in week if instant_s <= in_week_s]
        members = passed[-1] if passed else week[-1][1]
        return Wanted(members, "schedule", view.utilisation, math.nan)
