"""Pages of the reference about what is shipped: servers, hypervisors, classes, traces.

They are made from the same entries as ``farmsim catalog`` prints, so that both tell the same
figures, marks and sources.
"""

from collections.abc import Iterable
from typing import Any

from describe import HEADER, rows_of, table
from pages import page

from farmsim.models.base.catalogue import traces, workload_classes
from farmsim.models.base.estimates import CONFIDENCE
from farmsim.models.hardware.cpu_features import ASSISTS
from farmsim.models.hardware.server import servers
from farmsim.models.hypervisor.profiles import KINDS
from farmsim.models.service.request_class import RequestClass
from farmsim.models.workload.arrival_generator import published_arrivals
from farmsim.scenarios.catalogue_listing import (
    bound_text,
    class_entries,
    hypervisor_entries,
    is_neutral,
    meaning_of,
)
from farmsim.scenarios.language.choices import model_of


def catalogue() -> str:
    """Every server that a scenario can name.

    The first table is what a server is, the second its power in W at each tenth of its load. Levels
    are those of docs/power.md.

    Power in the catalogue is of the whole server at the plug, as the benchmark measures it.
    """
    known = servers()
    rows = [
        (
            f"`{each.id}`", f"{each.vendor} {each.model}", each.cpu, each.level, str(each.sockets),
            str(each.cores), f"{each.core_mhz:g}", f"{each.memory_mib / 1024:g}",
            f"{each.watts[0]:g}", f"{each.watts[-1]:g}", f"{each.overall_ops_per_w:,.0f}",
            each.source,
        )
        for each in known.values()
    ]  # fmt: skip
    curves = [
        (f"`{each.id}`", *(f"{watt:g}" for watt in each.watts))
        for each in known.values()
        if each.level == "A"
    ]
    return page(
        "Servers of the catalogue",
        f"{len(known)} servers after SPECpower_ssj2008, each group in the order of publication: "
        "single servers (level A), medians of all published results of one processor and number of "
        "sockets (B), and those of which only idle and full load are published, where the power "
        "between is estimated from the generation (B2), and estimates for processors of which "
        "nothing is published from the nearest of their generation (C). "
        "[Matching](../power.md#which-curve-a-host-gets) says how far each may be off. "
        "Memory is that of the measured configuration; `memory` of a host group replaces it. "
        "Power lies on the straight line between two measured points. "
        "`farmsim catalog servers NAME` shows one with its throughput at each load.",
        table(
            ("name", "server", "processor", "level", "sockets", "cores", "MHz", "GiB",
             "idle W", "full W", "overall ssj_ops/W", "source"), rows,
        ),
        "## Power in W by load",
        "Single servers; `farmsim catalog servers NAME` shows the curve of any other.",
        table(("name", *(f"{load} %" for load in range(0, 101, 10))), curves),
    )  # fmt: skip


FIGURES = ("figure", "profiles", "low", "typical", "high", "mark", "source", "meaning")
GROUPS = {
    "cpu": "CPU",
    "memory": "Memory",
    "storage": "Storage, by path",
    "network": "Network, by path",
    "licence": "Licence",
    "": "The host, VMs and what isolation rests on",
}


def hypervisors() -> str:
    """Every hypervisor profile with the range, mark and source of every figure.

    Overview, kinds, flags of servers, marks, figures by group with low, typical and high value,
    sources by number, and the memory of VMs of exact sizes where it was published.
    """
    found = hypervisor_entries()
    overview = [
        (
            f"`{each['name']}`", each["what"], each["kind"], each["family"], _flags(each["needs"]),
            ", ".join(path["name"] for path in each["storage_paths"]), _yes(each["live_migration"]),
            _yes(each["host_applications"]), each["licence"],
        )
        for each in found
    ]  # fmt: skip
    parts = [
        f"{len(found)} profiles for `hypervisor` of a host group. `farmsim catalog hypervisors "
        "NAME` shows one with all its figures, `--json` the same as data. Most figures are "
        "estimates, so each has a range and a mark; `overheads: low`, `typical` or `high` picks "
        "the bound that costs least, the typical value, or the bound that costs most.",
        table(
            ("name", "meaning", "kind", "family", "needs", "paths", "live migration",
             "host applications", "licence"), overview,
        ),
        "A running VM moves only between profiles of one family. Figures may be changed with "
        "`{based_on: NAME, change: {…}}`, under the names below.",
        "## Kinds",
        table(("kind", "meaning"), [(f"`{kind}`", text) for kind, text in KINDS.items()]),
        "## Assistance of servers",
        "What `assists` of a host group may list; if absent, what the server's processor offers.",
        table(("flag", "meaning"), [(f"`{flag}`", text) for flag, text in ASSISTS.items()]),
        *_marks_and_figures(found),
        "## Memory of VMs in exact cells",
        "Where a VM has just this size the cell counts, not the linear formula.",
        *_cells(found),
    ]  # fmt: skip
    return page("Hypervisor profiles", *parts)


def _flags(names: list[str]) -> str:
    """Return names as code, separated by commas; empty for none."""
    return ", ".join(f"`{name}`" for name in names)


def _yes(value: bool) -> str:
    """Return ``yes`` or ``no``, as cells of tables have it."""
    return "yes" if value else "no"


def _marks_and_figures(found: list[dict[str, Any]]) -> list[str]:
    """Return the figures by group; profiles that agree on one share a row.

    Figures that cost nothing are left out. Sources are numbered in the order of their first use.
    """
    rows: dict[str, dict[tuple[str, ...], list[str]]] = {group: {} for group in GROUPS}
    numbers: dict[str, int] = {}
    for entry in found:
        for each in entry["figures"]:
            if is_neutral(each):
                continue
            first = each["name"].split(".")[0]
            bounds = [bound_text(each[key]) for key in ("low", "typical", "high")]
            number = numbers.setdefault(each["source"], len(numbers) + 1)
            row = (each["name"], *bounds, each["confidence"], f"[{number}]", meaning_of(each))
            same = rows[first if first in GROUPS else ""].setdefault(row, [])
            same.append(entry["name"])
    parts = [
        "## Marks",
        table(("mark", "meaning"), list(CONFIDENCE.items())),
        "## Figures",
        "A profile without a row for a figure has none that costs anything. Numbers in the "
        "column of sources stand for the list at the end of this section.",
    ]
    for group, title in GROUPS.items():
        shown = [
            (f"`{name}`", _flags(profiles), *rest)
            for (name, *rest), profiles in sorted(rows[group].items(), key=lambda row: row[0][0])
        ]
        parts += [f"### {title}", table(FIGURES, shown)]
    listed = [f"{number}. {text}" for text, number in numbers.items()]
    return [*parts, "### Sources", "\n".join(listed)]


def _cells(found: list[dict[str, Any]]) -> list[str]:
    """Return the tables of memory, MiB, that VMs of exact sizes take; profiles may share one.

    Profiles without such a table are left out.
    """
    tables: dict[tuple[Any, ...], list[str]] = {}
    for each in found:
        rows = tuple(tuple(f"{value:g}" for value in cell.values()) for cell in each["vm_memory"])
        if rows:
            tables.setdefault((each["vm_memory_source"], rows), []).append(each["name"])
    parts = []
    for (source, rows), names in tables.items():
        parts += [f"{_flags(names)}, from {source}:"]
        parts.append(table(("memory (MiB)", "vCPUs", "overhead (MiB)"), list(rows)))
    return parts


def classes() -> str:
    """Every request class with the range of every figure.

    A column for each class and a row for each figure, since all classes have the same figures.
    """
    found = class_entries()
    keys = [each["name"] for each in found[0]["figures"]]
    shown = []
    for number, key in enumerate(keys):
        figures = [entry["figures"][number] for entry in found]
        unit = f" ({figures[0]['unit']})" if figures[0]["unit"] else ""
        cells = [_range_of(each) for each in figures]
        shown.append((f"`{key}`{unit}", figures[0]["meaning"], *cells))
    parts = [
        "What the requests of a VM are made of, named with `class` at a size of VM. "
        "`farmsim catalog classes NAME` shows one. Every figure is an engineering estimate "
        "(mark E), low / typical / high; measure your own load and write it as a mapping of "
        "these fields, `class: {cpu: 5 ms, storage_operations: 2}`.",
        table(("name", "meaning"), [(f"`{entry['name']}`", entry["what"]) for entry in found]),
        "## Figures",
        "With `overheads: high` the high bound counts, with `low` the low one, except for `cpu`, "
        "`memory_share`, `mmu_share` and `vector_share`, which stay typical: they are the "
        "yardstick of the rest.",
        table(("field", "meaning", *(f"`{entry['name']}`" for entry in found)), shown),
        "## Fields of a class of your own",
        table(HEADER, rows_of(model_of(RequestClass))).replace("(#units)", "(scenario.md#units)"),
    ]
    return page("Request classes", *parts)


def _range_of(figure: dict[str, Any]) -> str:
    """Return low, typical and high value of a figure, one value where all agree."""
    bounds = [bound_text(figure[key]) for key in ("low", "typical", "high")]
    return " / ".join(bounds if len(set(bounds)) > 1 else bounds[:1])


def workloads() -> str:
    """Shipped traces and the parameters of the fitted generator.

    Traces that are shipped, the fitted classes of the synthetic load, and the laws of generated
    arrivals with all their points: what a reader needs to make the same load elsewhere.
    """
    recorded = [
        (f"`{each.name}`", each.title, f"{each.vms:,}", f"{each.slots * each.step_s / 3600:g}",
         f"{each.step_s:g}", each.licence, each.source)
        for each in traces().values()
    ]  # fmt: skip
    parts = [
        "[Workloads](../workloads.md) says what each source does and where its limits are.",
        "## Shipped traces",
        "`source: NAME`, or `{type: resample, trace: NAME}`.",
        table(("name", "meaning", "VMs", "hours", "step (s)", "licence", "source"), recorded),
        "## Fitted classes of the synthetic load",
        "`source: {type: synthetic, classes: NAME}`. Variances are parts of a standard normal "
        "score, scaled to sum to 1; time constants in s; the median in percent of the VM's CPU.",
    ]
    columns = (
        "share", "level_variance", "slow_variance", "slow_time_constant_s", "fast_variance",
        "fast_time_constant_s", "daily_variance", "noise_variance", "shared_variance",
    )  # fmt: skip
    for name, entry in workload_classes()["sets"].items():
        rows = []
        for each in entry["classes"]:
            quantiles = each["quantiles_percent"]
            median = quantiles[len(quantiles) // 2]
            rows.append((*(f"{each[key] + 0.0:g}" for key in columns), f"{median:g}"))
        header = tuple(key.removesuffix("_s").replace("_", " ") for key in columns)
        parts += [f"### `{name}`", f"{entry['title']}; {entry['source']}."]
        parts.append(table((*header, "median"), rows))
    parts += [
        "## Laws of generated arrivals",
        "`arrivals: {type: generated}`; [Arrivals](../arrivals.md) says how they are "
        "drawn and how close the result is. Between the points of a table the generator "
        "interpolates.",
    ]
    for name, entry in published_arrivals().items():
        parts += [f"### Law `{name}`", f"{entry['title']}; {entry['source']}.", *_law(entry)]
    return page("Traces and fitted classes", *parts)


def _law(entry: dict[str, Any]) -> list[str]:
    """Return the figures and tables of one law of generated arrivals.

    Lifetimes are a mixture of two log-normal parts up to ``splice_s``, and the points of a table
    beyond it. Logarithms are natural, of s or of percent.
    """
    life = entry["lifetime"]
    figures = [
        ("batches per hour", f"{entry['batches_per_h']:g}"),
        ("shape of the gamma factor per step of 5 min", f"{entry['step_shape']:g}"),
        ("batches of one flavour", f"{entry['one_flavour_share']:g}"),
        ("weight, mean and deviation of ln s, first part of lifetimes",
         f"{life['first_share']:g}, {life['first_ln_s']:g}, {life['first_sigma']:g}"),
        ("mean and deviation of ln s, second part",
         f"{life['second_ln_s']:g}, {life['second_sigma']:g}"),
        ("end of the mixture, beyond it the points below (s)", f"{life['splice_s']:g}"),
        ("variance of lifetimes that a batch shares", f"{life['batch_share']:g}"),
        ("mean and deviation of ln of the mean utilisation in percent",
         f"{entry['utilisation_ln_percent']:g}, {entry['utilisation_sigma']:g}"),
    ]  # fmt: skip
    hours = [(str(hour), f"{factor:g}") for hour, factor in enumerate(entry["hour_profile"])]
    sizes = zip(entry["batch_size"], entry["batch_size_cdf"], strict=True)
    left = zip(entry["survival_s"], entry["survival"], strict=True)
    flavours = [
        tuple(f"{each[key]:g}" for key in ("vcpus", "memory_gib", "share"))
        for each in entry["flavours"]
    ]
    return [
        table(("figure", "value"), figures),
        table(("hour of the day", "batches over the mean"), hours),
        table(("VMs of a batch, at most", "part of the batches"), _plain(sizes)),
        table(("lifetime (s)", "part of the VMs that live longer"), _plain(left)),
        table(("vCPUs", "memory (GiB)", "part of the VMs"), flavours),
    ]


def _plain(rows: Iterable[tuple[float, float]]) -> list[tuple[str, ...]]:
    """Return pairs of numbers as texts, six digits at most."""
    return [tuple(f"{value:g}" for value in row) for row in rows]
