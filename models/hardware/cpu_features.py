"""What processors offer: assistance for virtualisation, and levels of features for guests.

Assistance is what a hypervisor may use. A level is what hosts show their guests: a guest runs on
a host that has all features that it saw when it booted. Hosts that show the same level, whatever
their processors, can therefore exchange running guests: Enhanced vMotion Compatibility and named
CPU models do that. Order and years of the levels are from memory (M).
"""

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from ..base.catalogue import data_file
from ..base.estimates import unknown
from ..base.lazy_dataclass import dataclass

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


@dataclass(frozen=True)
class CpuBaseline:
    """A level: its vendor, its rank among the vendor's levels, the year of its first processor."""

    vendor: str
    level: int
    year: int


ANY_CPU = CpuBaseline("", 0, 0)
"""What hosts show of which nothing is said: the same as all others of that kind."""

_INTEL = {
    "merom": 2006, "penryn": 2007, "nehalem": 2008, "westmere": 2010, "sandy_bridge": 2011,
    "ivy_bridge": 2012, "haswell": 2013, "broadwell": 2014, "skylake": 2015,
    "cascade_lake": 2019, "ice_lake": 2021, "sapphire_rapids": 2023,
}  # fmt: skip
_AMD = {
    "opteron_rev_e": 2004, "opteron_rev_f": 2006, "opteron_gen_3": 2007, "bulldozer": 2011,
    "piledriver": 2012, "zen": 2017, "zen_2": 2019, "zen_3": 2021, "zen_4": 2022,
}  # fmt: skip

CPU_BASELINES: dict[str, CpuBaseline] = {
    name: CpuBaseline(vendor, level, year)
    for vendor, years in (("intel", _INTEL), ("amd", _AMD))
    for level, (name, year) in enumerate(years.items(), start=1)
}
