"""Keeps a farm's reserve powered on, and records when it was incomplete."""

import numpy as np

from ...policies.interface.view import FarmView
from ..base.clock import Clock
from ..base.log import Column, Log
from .power_states import PowerTransitions


class ReserveKeeper:
    """Checks the reserve whenever VMs or hosts change.

    ``below_s`` is how long the hosts that were on or booting did not keep the reserve, up to the
    last look.

    With ``wakes`` it wakes sleeping hosts that the reserve lacks; else it only keeps the account.
    It looks at each beat and after each change of placement.
    """

    def __init__(self, clock: Clock, view: FarmView, power: PowerTransitions, wakes: bool) -> None:
        self.below_s = 0.0
        self._clock, self._view, self._power, self._wakes = clock, view, power, wakes
        self._whole, self._since_s = True, 0.0
        self._log = Log({"time_s": float, "left_mib": float, "left_mhz": float})

    def look(self) -> None:
        """Settle the account, and wake sleeping hosts if the reserve needs them."""
        reserve_book, now_s = self._view.reserve_book(), self._clock.now
        if not self._whole:
            self.below_s += now_s - self._since_s
        self._since_s = now_s
        if reserve_book is None:
            return
        self._whole = reserve_book.whole()
        if self._wakes and not self._whole:
            self._power.wake(np.array(reserve_book.lacking(), np.int64), "needed for the reserve")
            self._whole = reserve_book.whole()

    def sample(self) -> None:
        """Settle the account and note what is left beyond the reserve."""
        self.look()
        reserve_book = self._view.reserve_book()
        if reserve_book is not None:
            left_mib, left_mhz = reserve_book.left()
            self._log.add(time_s=self._clock.now, left_mib=left_mib, left_mhz=left_mhz)

    def columns(self) -> dict[str, Column]:
        """Return what was left, sample by sample.

        The columns are ``time_s``, ``left_mib`` and ``left_mhz``; negative values say what is
        lacking.
        """
        return self._log.columns()
