"""What each link carried, interval by interval."""

from collections.abc import Generator

import numpy as np
import simpy

from ..base.clock import Clock, beats
from ..base.log import Column, Log
from .transfers import FlowNetwork

MIN_BYTES = 0.5
"""What a link must have carried in an interval to be noted; less is rounding."""


WINDOW_S = 300.0
"""The highest use of a link is a mean over this long, as networks are monitored and planned."""


class LinkRecord:
    """Samples the links of a board; it keeps one row per interval for links that were used.

    ``busiest_bytes`` is the most that each link carried in a window of WINDOW_S, counted from time
    0, whatever the intervals are.

    A table source of the recorder (:class:`.TableSource`). ``busiest_bytes``, (links,), divided by
    WINDOW_S is the highest mean rate. Links are directed: a full-duplex cable has two rows.
    """

    def __init__(self, flow_network: FlowNetwork) -> None:
        self._flow_network = flow_network
        self._before = flow_network.link_bytes
        self._sampled_s = 0.0
        self._window_before = self._before.copy()
        self.busiest_bytes = np.zeros(len(self._before))
        self._log = Log({"link": int, "time_s": float, "length_s": float, "sent_bytes": float})

    def sample_windows(self, clock: Clock, end_s: float) -> Generator[simpy.Event, object, None]:
        """Note at the end of each window what links have carried within it.

        A process of the clock, started once per run; the last, shorter window is noted by
        :meth:`close`.
        """
        for now_s, _ in beats([WINDOW_S], end_s):
            yield clock.at(now_s)
            self.close_window()

    def close_window(self) -> None:
        """Note what links have carried since the last window."""
        sent = self._flow_network.link_bytes
        np.maximum(self.busiest_bytes, sent - self._window_before, out=self.busiest_bytes)
        self._window_before = sent

    def sample(self, now_s: float) -> None:
        """Note what links have carried since the last sample.

        The interval is that since the last sample, in s. A link that carried at most MIN_BYTES gets
        no row, and the bytes count in its next one, so the sum over rows is what the link carried.
        """
        length_s = now_s - self._sampled_s
        if length_s <= 0:
            return
        sent = self._flow_network.link_bytes
        used = np.flatnonzero(sent - self._before > MIN_BYTES)
        self._log.add(
            len(used),
            link=used,
            time_s=now_s,
            length_s=length_s,
            sent_bytes=sent[used] - self._before[used],
        )
        # What was too little to be noted counts in a later interval.
        self._before[used] = sent[used]
        self._sampled_s = now_s

    def close(self, end_s: float) -> None:
        """Close the last window, however short."""
        del end_s
        self.close_window()

    def tables(self) -> dict[str, dict[str, Column]]:
        """Return the bytes of each link in all, and its intervals; times are their ends.

        ``links`` has one row per link; ``link_series`` the columns ``link``, ``time_s`` (end of the
        interval), ``length_s`` and ``sent_bytes``, one row per interval and link used in it.
        """
        links = {"sent_bytes": self._flow_network.link_bytes, "busiest_bytes": self.busiest_bytes}
        return {"links": links, "link_series": self._log.columns()}
