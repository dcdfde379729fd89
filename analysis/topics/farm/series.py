"""The farm over time: means of every reporting interval, and figures of them."""

from typing import Any

import numpy as np

from ....models.base.arrays import Bools, Floats, Ints
from ....models.base.cost import JOULE_PER_KWH
from ....models.state.columns import PowerState
from ...base.arrow_arrays import numpy_array
from ...base.played_case import PlayedCase
from ...base.plotting import FILL, MAIN, MORE_COLOURS, OTHER, Figure, figure, hours, line
from ...base.run_tables import RunTables
from ...base.table_columns import Made
from ...base.topic import Topic, TopicFigure, TopicTable
from ...base.units_and_ratios import MHZ_PER_GHZ, ratios


class _Intervals:
    """Reporting intervals of a run, except those of length zero.

    ``start_s`` and ``length_s`` have one entry per interval. The recorder writes integrals so far
    at every reporting instant; what happened in an interval is the difference of two.
    """

    def __init__(self, run: PlayedCase) -> None:
        self._records, self._series = run.records, run.records["series"]
        time_s = self._series["time_s"]
        self._kept: Bools = np.diff(time_s) > 0
        self.start_s: Floats = time_s[:-1][self._kept]
        self.length_s: Floats = np.diff(time_s)[self._kept]
        self._edges_s = np.append(self.start_s, time_s[-1])

    def sum(self, name: str) -> Floats:
        """Return what an integral of the series grew by in each interval.

        (intervals,), in the unit of the integral.
        """
        made: Floats = np.diff(self._series[name])[self._kept]
        return made

    def mean(self, name: str) -> Floats:
        """Return the mean rate of an integral in each interval."""
        return self.sum(name) / self.length_s

    def ratio(self, part: str, whole: str) -> Floats:
        """Return one mean over another, 0 where that is 0."""
        return ratios(self.mean(part), self.mean(whole))

    def count(self, record: str, column: str, chosen: Any = slice(None)) -> Ints:
        """Return how many of the chosen instants of a record fall into each interval.

        An instant at the edge of two intervals counts in the later one, at the end of the run in
        the last.
        """
        instants = self._records[record][column][chosen]
        made: Ints = np.histogram(instants, self._edges_s)[0]
        return made


def farm_series(run: PlayedCase) -> dict[str, Made]:
    """Return one row per reporting interval, whose start is ``time_s``; the last may be shorter.

    Reporting intervals are ``run.report_every`` long. Sums over rows of energy and of counts are
    those of the run; means are to be weighted with ``interval_s``.
    """
    intervals = _Intervals(run)
    return {
        "time_s": (intervals.start_s, "s", "Start of the interval, from the start of the run."),
        "interval_s": (intervals.length_s, "s", "Length of the interval."),
        **_hosts_and_energy(intervals),
        **_loads(intervals),
        **_changes(intervals, run),
    }


def _hosts_and_energy(intervals: _Intervals) -> dict[str, Made]:
    """Return energy in kWh, mean power in W, mean hosts on and VMs on hosts."""
    mean = intervals.mean
    energy_kwh = intervals.sum("energy_j") / JOULE_PER_KWH
    return {
        "energy_kwh": (energy_kwh, "kWh", "Energy used."),
        "power_w": (mean("energy_j"), "W", "Mean power of the servers."),
        "hosts_on": (mean("on_s"), "hosts", "Mean hosts on."),
        "hosts_switching": (mean("switching_s"), "hosts", "Hosts booting or stopping, mean."),
        "vms": (mean("vm_s"), "VMs", "VMs on hosts, mean."),
    }


def _loads(intervals: _Intervals) -> dict[str, Made]:
    """Return means of CPU in GHz and of shares; a share of nothing switched on is 0.

    CPU is what guests get plus what hypervisors add. ``vcpus_per_core`` above 1 is overcommitment.
    """
    mean, ratio = intervals.mean, intervals.ratio
    saturated_ghz = mean("saturated_mhz_s") / MHZ_PER_GHZ
    unserved = (
        "CPU demand of VMs on hosts that was not served, mean; excluding migration and VMs that "
        "did not run."
    )
    violating = (
        "Hosts at 100 % CPU utilisation, mean; with service.incoming_counts_as_violation also "
        "those to which VMs were copied."
    )
    use, memory = ratio("delivered_mhz_s", "on_mhz_s"), ratio("memory_mib_s", "on_mib_s")
    per_core = ratio("vcpu_s", "on_core_s")
    return {
        "capacity_on_ghz": (mean("on_mhz_s") / MHZ_PER_GHZ, "GHz", "CPU of hosts on, mean."),
        "delivered_ghz": (mean("delivered_mhz_s") / MHZ_PER_GHZ, "GHz", "CPU delivered, mean."),
        "unserved_ghz": (mean("unserved_mhz_s") / MHZ_PER_GHZ, "GHz", unserved),
        "unserved_saturated_ghz": (
            saturated_ghz,
            "GHz",
            "Part of it not served because the CPU or I/O of hosts was saturated.",
        ),
        "utilisation": (use, "share", "CPU delivered divided by the CPU of hosts on."),
        "memory": (memory, "share", "Memory of VMs divided by memory of hosts on."),
        "vcpus_per_core": (per_core, "vCPUs/core", "vCPUs of VMs per core of hosts on."),
        "hosts_violating": (mean("short_s"), "hosts", violating),
    }


def _changes(intervals: _Intervals, run: PlayedCase) -> dict[str, Made]:
    """Return how many migrations and host switches fell into each interval."""
    count, state = intervals.count, run.records["power_events"]["state"]
    ended = count("migrations", "end_s", run.records["migrations"]["finished"])
    booted = count("power_events", "time_s", state == PowerState.ON)
    stopped = count("power_events", "time_s", state == PowerState.OFF)
    return {
        "migrations_started": (count("migrations", "start_s"), "migrations", "Migrations started."),
        "migrations_ended": (ended, "migrations", "Migrations ended."),
        "hosts_booted": (booted, "hosts", "Hosts that finished booting."),
        "hosts_stopped": (stopped, "hosts", "Hosts that finished shutting down."),
    }


def course_beside_baselines(
    result: RunTables, column: str, scale: float, y_title: str, unit: str
) -> Figure:
    """Return a column of the series over time, times ``scale``, behind it those of baselines.

    ``unit`` stands at the pointer. The area below this run is filled; baselines are lines, in the
    order in which they were compared.
    """
    lines: list[tuple[RunTables, str, str]] = [(result, MAIN, "this run")]
    for baseline, about, colour in zip(
        result.baselines, result.summary["baselines"], (OTHER, *MORE_COLOURS), strict=False
    ):
        lines.insert(len(lines) - 1, (baseline, colour, str(about["label"])))
    label, traces = "", []
    for source, colour, name in lines:
        series = source.table("farm_series")
        times, label = hours(numpy_array(series["time_s"]))
        values = numpy_array(series[column]) * scale
        filled: dict[str, Any] = {
            "fill": "tozeroy" if source is result else "none",
            "fillcolor": FILL,
        }
        traces.append(line(times, values, name, colour, f"%{{y:,.1f}} {unit}", **filled))
    return figure(traces, f"time ({label})", y_title)


def power(result: RunTables) -> Figure:
    """Power of the servers over time in kW, with that of baselines."""
    return course_beside_baselines(result, "power_w", 1e-3, "power of the servers (kW)", "kW")


def load_duration(result: RunTables) -> Figure:
    """Load-duration curve: CPU delivered, and CPU of hosts on, for what part of the time.

    Values of the reporting intervals, the highest first, over the part of the time at or above
    them.

    The area below a curve is its mean times the run; how far the two are apart at the left is the
    capacity that stayed switched on at peak load.
    """
    traces = []
    series = result.table("farm_series")
    weights = numpy_array(series["interval_s"])
    for name, column, colour, dash in (
        ("CPU of hosts on", "capacity_on_ghz", OTHER, "dot"),
        ("CPU delivered", "delivered_ghz", MAIN, "solid"),
    ):
        values = numpy_array(series[column])
        order = np.argsort(-values, kind="stable")
        part = np.cumsum(weights[order]) / weights.sum() * 100
        x, y = np.append(0.0, part), np.append(values[order][:1], values[order])
        traces.append(line(x, y, name, colour, "%{y:,.1f} GHz", shape=None, dash=dash))
    return figure(traces, "share of the time (%) at or above", "CPU (GHz)")


FARM_SERIES = Topic(
    name="the farm over time",
    tables=(TopicTable("farm_series", farm_series),),
    figures=(
        TopicFigure(
            "power",
            "Power over time",
            "Power of all servers; the site draws PUE times as much.",
            power,
        ),
        TopicFigure(
            "load_duration",
            "Load-duration curve",
            "Share of the time (across) in which at least this much CPU (up) was in use, or "
            "belonged to hosts that were on.",
            load_duration,
        ),
    ),
)
