"""What ``farmsim catalog servers`` shows, and how it finds what a person types."""

from typing import Any

from ..models.base.catalogue import MIB_PER_GIB
from ..models.hardware.cpu_features import assists_of
from ..models.hardware.server import Server, found_servers, nearest_servers, servers
from ..models.hardware.server_match import BANDS

COLUMNS = ("name", "server", "cpu", "level", "results", "sockets", "cores", "clock_mhz",
           "memory_gib", "idle_w", "max_w", "kops_per_core_ghz", "ops_per_w",
           "published")  # fmt: skip
"""Columns of the table of servers."""


def server_entries() -> list[dict[str, Any]]:
    """Return servers with what they have and what they draw (W) and do (operations per W)."""
    return [_entry(each) for each in servers().values()]


def search(text: str) -> list[dict[str, Any]]:
    """Return the server of an identifier, or those that words name, sorted by name.

    Where no server has all words of a text, those that come nearest, each marked ``nearest``; where
    none has a single one, or the text is an identifier that does not exist, none.
    """
    if text in servers():
        return [_entry(servers()[text])]
    found = found_servers(text)
    if found or "_" in text or not any(found_servers(word) for word in text.split()):
        return [_entry(each) for each in found]
    return [{**_entry(each), "nearest": True} for each in nearest_servers(text)]


def _entry(each: Server) -> dict[str, Any]:
    """Return one server as it is listed.

    ``kops_per_core_ghz`` are thousands of ssj operations per second, core and GHz at full load;
    ``band`` is the share by which a server of this kind may draw more or less.
    """
    max_ops = each.max_ops
    return {
        "name": each.id,
        "server": f"{each.vendor} {each.model}",
        "cpu": each.cpu,
        "level": each.level,
        "band": BANDS[each.level],
        "results": each.results,
        "sockets": each.sockets,
        "cores": each.cores,
        "clock_mhz": each.core_mhz,
        "memory_gib": each.memory_mib / MIB_PER_GIB,
        "idle_w": each.watts[0],
        "max_w": each.watts[-1],
        "kops_per_core_ghz": round(max_ops / each.cpu_mhz, 1) if max_ops else None,
        "watts": list(each.watts),
        "ssj_ops": list(each.ssj_ops),
        "ops_per_w": round(each.overall_ops_per_w),
        "published": each.published,
        "threads": each.threads,
        "assists": sorted(assists_of(each.cpu, each.published)),
        "confidence": each.confidence,
        "source": each.source,
    }
