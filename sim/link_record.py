"""What each link carried, interval by interval."""

import numpy as np

from .flows import FlowBoard
from .log import Column, Log

LEAST_BYTES = 0.5
"""What a link must have carried in an interval to be noted; less is rounding."""


class LinkRecord:
    """Samples the links of a board; it keeps one row per interval for links that were used."""

    def __init__(self, board: FlowBoard) -> None:
        self._board = board
        self._before = board.link_bytes
        self._sampled_s = 0.0
        self._log = Log({"link": int, "time_s": float, "length_s": float, "sent_bytes": float})

    def sample(self, now_s: float) -> None:
        """Note what links have carried since the last sample."""
        length_s = now_s - self._sampled_s
        if length_s <= 0:
            return
        sent = self._board.link_bytes
        used = np.flatnonzero(sent - self._before > LEAST_BYTES)
        self._log.add(
            len(used), link=used, time_s=now_s, length_s=length_s,
            sent_bytes=sent[used] - self._before[used],
        )  # fmt: skip
        # What was too little to be noted counts in a later interval.
        self._before[used] = sent[used]
        self._sampled_s = now_s

    def tables(self) -> dict[str, dict[str, Column]]:
        """Return the bytes of each link in all, and its intervals; times are their ends."""
        return {"links": {"sent_bytes": self._board.link_bytes}, "link_series": self._log.columns()}
