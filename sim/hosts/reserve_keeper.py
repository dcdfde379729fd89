"""Keeps a farm's reserve powered on, and records when it was incomplete."""

import numpy as np

from ...policies.interface.reserve_book import Book, ReserveBook
from ...policies.interface.view import FarmView
from ..base.clock import Clock
from ..base.log import Column, Log
from .power_states import PowerTransitions


class ReserveKeeper:
    """Checks the reserve whenever VMs or hosts change.

    ``below_s`` is how long the hosts that were on or booting did not keep the reserve, up to the
    last look; ``below_of_s`` the same of each of its ``rules``, (rules,).

    With ``wakes`` it wakes sleeping hosts that the reserve lacks; else it only keeps the account.
    It looks at each beat and after each change of placement.
    """

    def __init__(
        self, clock: Clock, view: FarmView, power: PowerTransitions, wakes: bool, rules: int = 1
    ) -> None:
        self.below_s = 0.0
        self.below_of_s = np.zeros(rules)
        self._clock, self._view, self._power, self._wakes = clock, view, power, wakes
        self._kept, self._since_s = np.ones(rules, bool), 0.0
        self._log = Log({"time_s": float, "left_mib": float, "left_mhz": float})
        self._least = np.full((2, rules), np.inf)

    def look(self) -> None:
        """Settle the account, and wake sleeping hosts if the reserve needs them."""
        reserve_book, now_s = self._view.reserve_book(), self._clock.now
        if not self._kept.all():
            self.below_s += now_s - self._since_s
            self.below_of_s[~self._kept] += now_s - self._since_s
        self._since_s = now_s
        if reserve_book is None:
            return
        self._kept = _kept(reserve_book)
        if self._wakes and not self._kept.all():
            self._power.wake(np.array(reserve_book.lacking(), np.int64), "needed for the reserve")
            self._kept = _kept(reserve_book)

    def sample(self) -> None:
        """Settle the account and note what is left beyond the reserve."""
        self.look()
        reserve_book = self._view.reserve_book()
        if reserve_book is None:
            return
        left_mib, left_mhz = reserve_book.left()
        self._log.add(time_s=self._clock.now, left_mib=left_mib, left_mhz=left_mhz)
        left = np.array([book.left() for book in _books(reserve_book)]).T
        self._least = np.minimum(self._least, left)

    def tables(self) -> dict[str, dict[str, Column]]:
        """Return what was left, sample by sample, and what became of each rule.

        ``reserve`` has ``time_s``, ``left_mib`` and ``left_mhz``; negative values say what is
        lacking. ``reserves`` has a row per rule: ``below_s``, and the least of both that was left.
        """
        least_mib, least_mhz = self._least
        rules = {"below_s": self.below_of_s, "left_mib": least_mib, "left_mhz": least_mhz}
        return {"reserve": self._log.columns(), "reserves": rules}


def _books(book: Book) -> "list[ReserveBook]":
    """Return the book of each rule."""
    return [book] if isinstance(book, ReserveBook) else list(book.each)


def _kept(book: Book) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Return which rules the hosts that are on satisfy, (rules,)."""
    return np.array([each.whole() for each in _books(book)], bool)
