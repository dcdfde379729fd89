"""Names of processors as inventories and benchmarks write them: one key each, and its generation.

``Intel(R) Xeon(R) CPU           X5690  @ 3.47GHz`` and ``Intel Xeon X5690`` are one processor,
whose key is ``xeon x5690``. Generations, their first year and their kind of memory are facts of the
vendors' product lists, in ``generations.csv``, which has one regular expression of keys a row.
"""

import csv
import re
from functools import cache

from ..base.catalogue import data_file
from ..base.lazy_dataclass import dataclass

_NOISE = (
    r"\((?:r|tm)\)|[®™]|\([^)]*\)|\b(?:intel|amd|ampere|nvidia|cpu|processor|superchip|with|"
    r"64-bit multi-core|(?:\w+|\d+)-core)\b|@.*$|\bdell sku\b.*$|\[.*?\]|,"
)
_CLOCK = r"(\d+(?:\.\d+)?)\s*(ghz|mhz)"
_VERSION = r"(e[357]-\d{4}[a-z]?)\s*v(\d)$"
_METALS = {"3": "bronze", "4": "silver", "5": "gold", "6": "gold", "8": "platinum"}
_FAMILIES = {
    "xeon": "Intel Xeon", "core": "Intel Core", "pentium": "Intel Pentium", "epyc": "AMD EPYC",
    "opteron": "AMD Opteron", "altra": "Ampere Altra", "grace": "NVIDIA Grace",
}  # fmt: skip


@dataclass(frozen=True)
class Generation:
    """One generation: the year of its first server processor, and the memory that it takes."""

    name: str
    vendor: str
    year: int
    memory: str


@cache
def cpu_key(text: str) -> str:
    """Return the key of a processor's name; empty where nothing is left that tells it.

    Trademarks, the vendor, CPU, Processor, NN-Core, clocks, parentheses and a last `` 0`` are
    dropped and letters are lower case. Short forms get their family: ``Xeon 8480+`` is a ``xeon
    platinum 8480+``, and ``Xeon Gold 6780E`` is the ``xeon 6780e``, which has no metal.
    """
    key = " ".join(re.sub(_NOISE, " ", text.lower()).split())
    clock = re.search(_CLOCK, key)
    key = " ".join(re.sub(_CLOCK, " ", key).split())
    key = re.sub(r" 0$", "", key)
    if re.match(r"(e[357]-\d{4}|[elwx]\d{4}\b|e-2\d{3}|d-\d{4})", key):
        key = f"xeon {key}"
    key = re.sub(r"^xeon( e(?= e-))?[ -]", "xeon ", key)
    key = re.sub(r"^(xeon d) (?=\d)", r"\1-", " ".join(key.split()))
    key = re.sub(_VERSION, r"\1 v\2", key)
    key = re.sub(r"^(opteron \d{4})(he|ee|se)$", r"\1 \2", key)
    if key == "xeon" and clock:
        return f"xeon {clock[1]}{clock[2]}"
    return "" if key in _FAMILIES and key != "grace" else _scalable(key)


def _scalable(key: str) -> str:
    """Return a key with the metal that belongs to a Xeon of four digits, or without."""
    found = re.match(r"xeon (?:(platinum|gold|silver|bronze) )?((\d)(\d)\d\d)(\S*)$", key)
    if found is None:
        return key
    metal, number, first, second, suffix = found.groups()
    if first == "6" and suffix in ("p", "e", "ep", "p-b") and second in "35679":
        return f"xeon {number}{suffix}"
    if metal is None and (first == "8" or (first == "6" and second in "12345")):
        metal = _METALS[first]
    return f"xeon {metal} {number}{suffix}" if metal else key


def cpu_clock_mhz(text: str) -> float | None:
    """Return the nominal clock that a processor's name states (``@ 2.70GHz``), in MHz."""
    found = re.search(_CLOCK, re.sub(r"\([^)]*\)", " ", text.lower()))
    if found is None:
        return None
    return float(found[1]) * (1000.0 if found[2] == "ghz" else 1.0)


def cpu_name(key: str) -> str:
    """Return a key as people write it: ``xeon gold 6248`` as ``Intel Xeon Gold 6248``."""
    family, *words = key.split(" ")
    written = [word.title() if word.isalpha() and len(word) > 2 else word.upper() for word in words]
    name = " ".join([_FAMILIES.get(family, family.title()), *written])
    name = re.sub(r" (V\d$|I\d-)", lambda found: found[0].lower(), name)
    return name.replace("GHZ", " GHz")


@cache
def _generations() -> tuple[tuple[re.Pattern[str], Generation], ...]:
    with data_file("generations.csv").open("r", encoding="utf-8") as handle:
        return tuple(
            (
                re.compile(row["pattern"]),
                Generation(row["generation"], row["vendor"], int(row["year"]), row["memory"]),
            )
            for row in csv.DictReader(handle)
        )


@cache
def generation_of(key: str) -> Generation | None:
    """Return the generation of a processor by its key (:func:`cpu_key`); None where unknown."""
    return next((found for pattern, found in _generations() if pattern.fullmatch(key)), None)
