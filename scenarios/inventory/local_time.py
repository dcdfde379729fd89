"""Local times of files, and their conversion to UTC across changes of the clock."""

import re
import zoneinfo
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import numpy as np

from ...models.base.arrays import Floats, Ints
from ..errors.problems import refuse
from ..errors.suggest import unknown_name
from ..errors.terminal_text import shown_cell

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?")
EPOCH = datetime(1970, 1, 1)


def zone_of(tz: str | None, where: str) -> tzinfo:
    """Return a time zone: ``Europe/Vienna``, ``UTC`` or a fixed offset such as ``+01:00``.

    Raises InputError where none is given, it is unknown, or the system has no list of zones.
    """
    if tz is None:
        raise refuse(
            where,
            "its times are local and name no time zone; give it with --tz, for example "
            "--tz Europe/Vienna, --tz UTC or --tz +01:00",
            "time",
        )
    if tz.upper() in {"UTC", "Z", "GMT"}:
        return UTC
    if found := _OFFSET.fullmatch(tz):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        if offset < timedelta(hours=24):
            return timezone(-offset if found[1] == "-" else offset)
    return _named(tz)


def _named(tz: str) -> tzinfo:
    """Return a zone of the IANA list."""
    try:
        return zoneinfo.ZoneInfo(tz)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = sorted(zoneinfo.available_timezones())
    if not known:
        raise refuse(
            "--tz",
            f"this system has no list of time zones, so {shown_cell(tz)} is unknown; install the "
            "Python package tzdata, or give a fixed offset such as --tz +01:00",
        )
    raise refuse("--tz", unknown_name("time zone", tz, known))


class LocalClock:
    """Converts texts of local times to seconds since 1970 in UTC, each different text once.

    ``parse`` makes a datetime of a text (with or without a zone), or None of what is not a time.
    ``tz`` is only needed, and only looked up, where a text has no zone.
    """

    def __init__(self, parse: Callable[[str], datetime | None], tz: str | None, where: str) -> None:
        self._parse, self._tz, self._where = parse, tz, where
        self._zone: tzinfo | None = None
        self._known: dict[str, int] = {}
        self._first: list[float] = []
        self._second: list[float] = []
        self.doubtful = 0
        """Number of times that occurred twice on the clock and once in the file."""

    def indices(self, texts: Iterable[str]) -> Ints:
        """Return the number of each text (texts,); -1 is not a time."""
        return np.array([self._index(text) for text in texts], np.int64)

    def utc(self, indices: Ints) -> Floats:
        """Return the times of one object, in the order of its rows, as seconds since 1970.

        Where the clock is put back, an hour occurs twice: the second row of that time is the
        later one, or the first in a file that runs from the last time to the first.
        """
        first, second = np.array(self._first), np.array(self._second)
        times = first[indices]
        twice = np.flatnonzero(first[indices] != second[indices])
        if not len(twice):
            return times
        backwards = len(times) > 1 and times[0] > times[-1]
        for number in sorted(set(indices[twice].tolist())):
            rows = np.flatnonzero(indices == number)
            if len(rows) == 1:
                self.doubtful += 1
                times[rows] = self._single(times, rows[0], first[number], second[number])
                continue
            later = rows[:1] if backwards else rows[1:]
            times[later] = second[number]
        return times

    @staticmethod
    def _single(times: Floats, row: int, first: float, second: float) -> float:
        """Return the time of an hour that is named once: the one that the row before leaves open.

        A file that starts within the hour that occurs twice says nothing: the first is taken.
        """
        before = times[row - 1] if row else -np.inf
        return second if first <= before < second else first

    def _index(self, text: str) -> int:
        """Return the number of a text, and convert it where it is new."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._converted(text)
        return known

    def _converted(self, text: str) -> int:
        """Convert a text to one or both of the instants that it can mean."""
        moment = self._parse(text)
        if moment is None:
            return -1
        if moment.tzinfo is None:
            if self._zone is None:
                self._zone = zone_of(self._tz, self._where)
            first, second = _instants(moment, self._zone, self._where, text)
        else:
            first = second = moment.timestamp()
        self._first.append(first)
        self._second.append(second)
        return len(self._first) - 1


def _instants(moment: datetime, zone: tzinfo, where: str, text: str) -> tuple[float, float]:
    """Return both instants of a local time; they are equal unless the clock was put back.

    Raises InputError where the clock was put forward past that time: the zone is wrong.
    """
    offsets = [moment.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)]
    before, after = (each or timedelta() for each in offsets)
    if after > before:
        raise refuse(
            where,
            f"{shown_cell(text)} does not exist in {zone}, where the clock was put forward; give "
            "the zone that the file was written in, or a fixed offset such as --tz +01:00",
            "time",
        )
    local = (moment - EPOCH).total_seconds()
    return local - before.total_seconds(), local - after.total_seconds()
