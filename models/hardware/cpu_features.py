"""Levels of CPU features that hosts show their guests, by the processors that have them.

A guest runs on a host that has all features that it saw when it booted. Hosts that show the
same level, whatever their processors, can therefore exchange running guests: Enhanced vMotion
Compatibility and named CPU models do that. Order and years are from memory (M).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class CpuBaseline:
    """A level: its vendor, its place among those of the vendor, the year of its first processor."""

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
