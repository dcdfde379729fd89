"""Hardware assistance for virtualisation: which there is and which server offers it."""

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from ..base.catalogue import data_file
from ..base.estimates import unknown

ASSISTS = {
    "vt_x": "CPU mode for guests (Intel VT-x, AMD-V)",
    "nested_paging": "page tables of guests walked by hardware (Intel EPT, AMD RVI)",
    "io_mmu": "devices confined to a guest's memory (Intel VT-d, AMD-Vi)",
    "sr_iov": "network adapters that split into virtual functions",
}


@cache
def _rules() -> dict[str, Any]:
    rules: dict[str, Any] = json.loads(data_file("assists.json").read_text("utf-8"))
    return rules


def assists_of(cpu: str, published: str) -> frozenset[str]:
    """Return what a processor and its usual chipset offer.

    ``cpu`` is the processor's name; where no rule knows it, the year of ``published``
    (``2012-03-21``) counts, and with neither everything is assumed to be there. The rules are
    from memory (M): firmware may switch assistance off, so a server's flags can be overridden.
    """
    for pattern, flags in _rules()["by_cpu"]:
        if re.search(pattern, cpu):
            return frozenset(flags)
    year = re.match(r"\d{4}", published)
    if year is None:
        return frozenset(ASSISTS)
    rows = _rules()["by_year"]
    return frozenset(next(flags for first, flags in rows if int(year.group()) >= first))


def checked_assists(names: Iterable[str]) -> frozenset[str]:
    """Return flags as a set. Raises ValueError for one that does not exist."""
    flags = frozenset(names)
    for name in sorted(flags - set(ASSISTS)):
        raise ValueError(unknown("assistance flag", name, ASSISTS))
    return flags
