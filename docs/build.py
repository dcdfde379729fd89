"""Write the reference pages from the code: ``python docs/build.py``; ``--check`` only compares.

Nothing of these pages is typed by hand: fields, bounds and defaults come from the models of
the scenario language, policies and metrics from their own tables, columns from a run.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from describe import HEADER, Section, rows_of, sections, table

import farmsim
from farmsim import cli
from farmsim.analysis.elasticity_figures import ELASTICITY_TITLES
from farmsim.analysis.figures import TITLES
from farmsim.analysis.life_figures import LIFE_TITLES
from farmsim.analysis.network_figures import NETWORK_TITLES
from farmsim.analysis.rundir import BASELINE, MANIFEST, REPORT, SCENARIO, SUMMARY, TABLES
from farmsim.models.arrival_generator import published_arrivals
from farmsim.models.assists import ASSISTS
from farmsim.models.catalogue import published_ops_per_w, servers, traces, workload_classes
from farmsim.models.columns import POWER_STATES, VM_STATES
from farmsim.models.conversion import CONVERSIONS
from farmsim.models.dirty_pages import DIRTY_PAGES
from farmsim.models.hypervisor import KINDS
from farmsim.models.load_class import RequestClass
from farmsim.models.metrics import METRICS, SAVINGS, WHERE_KNOWN, Metric
from farmsim.models.migration import MIGRATION_MODELS
from farmsim.models.power import POWER_MODELS
from farmsim.models.ranged import CONFIDENCE
from farmsim.policies.catalogue import POLICIES
from farmsim.policies.control import ControlPolicy
from farmsim.policies.drain import Drain
from farmsim.policies.forecast import Forecaster
from farmsim.policies.overload import OverloadDetector
from farmsim.policies.placement import Placement
from farmsim.policies.scaling import ScalingPolicy
from farmsim.policies.selection import Selection
from farmsim.scenarios.fields import model_of
from farmsim.scenarios.listing import (
    bound_text,
    class_entries,
    hypervisor_entries,
    is_neutral,
    meaning_of,
)
from farmsim.scenarios.spec import Spec
from farmsim.scenarios.units import DIMENSIONS
from farmsim.sim.actuator import OUTCOMES

PAGES = Path(__file__).parent / "reference"
MARK = "<!-- Written by docs/build.py from the code; change the code, not this page. -->"
PROTOCOLS: dict[str, type] = {
    "placement": Placement, "overload": OverloadDetector, "selection": Selection,
    "drain": Drain, "control": ControlPolicy, "forecast": Forecaster,
    "scaling": ScalingPolicy,
}  # fmt: skip
FILES = {
    MANIFEST: "Name, seed, versions, hashes of the inputs, number of control rounds.",
    SCENARIO: "The scenario with every default and override written out; it runs again as it is.",
    SUMMARY: "The metrics below, each `{value, unit, ci95, n}`, with `verdict`, `warnings`, "
    "`failed_assertions`, `assumptions`, `data_quality`, `schema_version`. No NaN: a metric "
    "without a value is `null`. `ci95` is `null` for a single replication.",
    REPORT: "The report: one page that needs neither network nor other files.",
    f"{TABLES}/": "The tables below, as Parquet.",
    f"{BASELINE}/": "The same files, report apart, for the run that savings are measured "
    "against; absent with `baseline: {type: none}`.",
}
SAMPLE: dict[str, Any] = {
    "run": {"duration": "10 min", "host_series": True},
    "farm": {"hosts": [{"name": "h", "server": "hp_ml110_g5", "count": 3}]},
    "workload": {"source": {"type": "constant", "utilisation": 0.5}, "vms": 1},
    "applications": [
        {
            "name": "a",
            "size": "standard",
            "maximum": 1,
            "load": {"type": "constant", "rate": "1 GHz"},
        },
    ],
    "policies": {"reserve": {"kind": "share", "memory": "10 %", "cpu": "10 %"}},
    "migration": {"model": "pre_copy"},
    "failures": {"schedule": [{"at": "5 min", "match": ["h-1"], "for": "1 min"}]},
    "baseline": {"type": "none"},
}
ONLY_WITH = {
    "host_series": "Only with `run.host_series: true`.",
    **dict.fromkeys(
        ("migration_phases", "links", "link_series"),
        "Only where the migration model uses the network: every model but `fixed_rate`.",
    ),
    **dict.fromkeys(
        ("applications", "scaling", "shortages", "application_series"),
        "Only where the scenario has `applications`.",
    ),
    **dict.fromkeys(("vm_events", "population"), "Only where VMs come and go, or hosts fail."),
    "reserve": "Only with `policies.reserve`.",
    **dict.fromkeys(("availability", "outages"), "Only where something failed."),
}
CODES = (
    (cli.DONE, "done"),
    (cli.ASSERTION_FAILED, "done, but a condition under `assert:` does not hold"),
    (cli.BAD_INPUT, "wrong usage, scenario or input; nothing was written"),
    (cli.INTERNAL, "a fault of farmsim; `FARMSIM_DEBUG=1` shows where"),
    (cli.INTERRUPTED, "interrupted; nothing was written"),
)


def prose(documentation: str | None) -> str:
    """Return a docstring as Markdown."""
    lines = [line.removeprefix("    ") for line in (documentation or "").strip().splitlines()]
    return "\n".join(lines).replace("``", "`")


def page(title: str, *parts: str) -> str:
    """Return a page with its mark."""
    return "\n\n".join([f"# {title}", MARK, *parts]) + "\n"


def scenario() -> str:
    """Every field of the scenario language."""
    parts = [
        "A scenario is one YAML 1.2 mapping. Unknown keys, duplicate keys, tabs and aliases that "
        "explode are errors; all errors of a file are reported at once. Quantities carry a unit. "
        "[Writing scenarios](../scenarios.md) explains the language by example; `farmsim schema` "
        "prints the same as a JSON Schema for editors.",
        "A path as below is also what `--set` takes, with list entries by number from 0 or by "
        "name: `farm.hosts.0.count=12`, `farm.hosts.rack.count=12`.",
        "## Units",
        _units(),
        *[_section(each) for each in sections(Spec)],
    ]
    for title, key, options in (
        ("Power models", "model", POWER_MODELS),
        ("Migration models", "model", MIGRATION_MODELS),
        ("Models of dirty pages", "model", DIRTY_PAGES),
        ("Conversions", "kind", CONVERSIONS),
    ):
        parts.append(f"## {title}")
        parts.append(
            f"Named with `{key}`; one whose fields all have defaults may be written as its name."
        )
        parts += [_option(name, key, cls) for name, cls in options.items()]
    return page("The scenario language", *parts)


def _units() -> str:
    rows = []
    for kind in DIMENSIONS.values():
        known = ", ".join(f"`{unit}`" for unit in kind.units if unit)
        bare = f"; a bare number counts in {kind.base or 'shares of 1'}" if kind.bare else ""
        rows.append((kind.name, known + bare, ", ".join(f"`{each}`" for each in kind.examples)))
    rows += [
        ("money", "a currency of three capital letters", "`7000 EUR`"),
        ("price per kWh", "a currency per kWh", "`0.21 EUR/kWh`"),
    ]
    note = "A year has 365 days; 1 GB is 10⁹ bytes, 1 GiB is 2³⁰ bytes."
    return table(("quantity", "units", "examples"), rows) + "\n\n" + note


def _section(each: Section) -> str:
    depth = "##" if each.path.count(".") == 0 else "###"
    title = f"`{each.path}`" if each.path else "The file"
    if each.types:
        title += f", {each.tag} " + " or ".join(f"`{name}`" for name in each.types)
    return f"{depth} {title}\n\n{each.what}\n\n{table(HEADER, each.rows)}"


def _option(name: str, key: str, cls: type) -> str:
    rows = rows_of(model_of(cls))
    shown = table(HEADER, rows) if rows else f"`{key}: {name}` has no further fields."
    return f"### `{name}`\n\n{prose(cls.__doc__)}\n\n{shown}"


def policies() -> str:
    """Every policy with its parameters and its source."""
    parts = [
        "A policy is named with `policy` where the scenario has a slot for its kind; one whose "
        "parameters all keep their defaults may be written as its name. "
        "[Policies](../policies.md) shows how they work together, "
        "[Extending](../extending.md) how to add one."
    ]
    for kind, options in POLICIES.items():
        parts += [f"## {kind}", prose(PROTOCOLS[kind].__doc__)]
        for name, cls in options.items():
            where = cls.__module__.removeprefix("farmsim.").replace(".", "/") + ".py"
            rows = rows_of(model_of(cls))
            parts += [
                f"### {kind}: `{name}`",
                prose(cls.__doc__),
                table(HEADER, rows) if rows else "No parameters.",
                f"Code: [{where}](../../{where}).",
            ]
    return page("Policies and their parameters", *parts).replace("(#units)", "(scenario.md#units)")


def catalogue() -> str:
    """Every server that a scenario can name."""
    known = servers()
    ops = published_ops_per_w()
    rows = [
        (
            f"`{each.id}`", f"{each.vendor} {each.model}", each.cpu, str(each.sockets),
            str(each.cores), f"{each.core_mhz:g}", f"{each.memory_mib / 1024:g}",
            f"{each.watts[0]:g}", f"{each.watts[-1]:g}", f"{ops[each.id]:,.0f}", each.source,
        )
        for each in known.values()
    ]  # fmt: skip
    curves = [(f"`{each.id}`", *(f"{watt:g}" for watt in each.watts)) for each in known.values()]
    return page(
        "Servers of the catalogue",
        f"{len(known)} servers as measured by SPECpower_ssj2008, in the order of publication. "
        "Memory is that of the measured configuration; `memory` of a host group replaces it. "
        "Power lies on the straight line between two measured points. "
        "`farmsim catalog servers NAME` shows one with its throughput at each load.",
        table(
            ("name", "server", "processor", "sockets", "cores", "MHz", "GiB", "idle W", "full W",
             "overall ssj_ops/W", "source"), rows,
        ),
        "## Power in W by load",
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
    """Every hypervisor profile with the range, mark and source of every figure."""
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
            ("name", "what it is", "kind", "family", "needs", "paths", "live migration",
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
    return ", ".join(f"`{name}`" for name in names)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _marks_and_figures(found: list[dict[str, Any]]) -> list[str]:
    """Return the figures by group; profiles that agree on one share a row."""
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
    """Every request class with the range of every figure."""
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
        table(("name", "what it is"), [(f"`{entry['name']}`", entry["what"]) for entry in found]),
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
    bounds = [bound_text(figure[key]) for key in ("low", "typical", "high")]
    return " / ".join(bounds if len(set(bounds)) > 1 else bounds[:1])


def workloads() -> str:
    """Shipped traces and the parameters of the fitted generator."""
    recorded = [
        (f"`{each.name}`", each.title, f"{each.vms:,}", f"{each.slots * each.step_s / 3600:g}",
         f"{each.step_s:g}", each.licence, each.source)
        for each in traces().values()
    ]  # fmt: skip
    parts = [
        "[Workloads](../workloads.md) says what each source does and where its limits are.",
        "## Shipped traces",
        "`source: NAME`, or `{type: resample, of: NAME}`.",
        table(("name", "what it is", "VMs", "hours", "step (s)", "licence", "source"), recorded),
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
    return [tuple(f"{value:g}" for value in row) for row in rows]


def results() -> str:
    """Files, metrics, tables and figures of a run."""
    result = farmsim.run(SAMPLE)
    parts = [
        "`farmsim run` writes a run directory, in Python `result.save(directory)` does; "
        "`farmsim.load(directory)` reads it back. [Metrics](../metrics.md) gives the formulas.",
        "## Files",
        table(("file", "what it holds"), [(f"`{name}`", what) for name, what in FILES.items()]),
        "## Metrics",
        "Under these names in `summary.json`, in `result.value(NAME)` and in `assert:`. "
        "A ratio of nothing is 0. `money` stands for the scenario's currency.",
        _metrics(METRICS),
        "Only where VMs have a request class, tenants, rules, applications or a reserve are "
        "named, or migrations go over a network:",
        _metrics(WHERE_KNOWN),
        "Only where there is a baseline; the last only where `cost.investment` is given:",
        _metrics(SAVINGS),
        "## Tables",
        "Each column's unit and description also stand in the Parquet field metadata.",
    ]
    for name in sorted(result.tables):
        schema = result.table(name).schema
        rows = []
        for each in schema:
            told = {key.decode(): text.decode() for key, text in each.metadata.items()}
            unit = told["unit"].replace("EUR", "money")
            rows.append((f"`{each.name}`", _arrow(each.type), unit, told["description"]))
        parts.append(f"### `{name}`")
        parts += [ONLY_WITH[name]] if name in ONLY_WITH else []
        parts.append(table(("column", "type", "unit", "meaning"), rows))
    parts += [
        "## Words in the tables",
        table(
            ("column", "values"),
            [
                ("`power_events.state`", _words(POWER_STATES)),
                ("`vms.state`", _words(VM_STATES)),
                ("`decisions.outcome`", _words(("placed", "rejected", *OUTCOMES))),
            ],
        ),
        "## Figures",
        f"`result.figure(NAME)` returns a Plotly figure; {_words(tuple(NETWORK_TITLES))} only "
        f"where migrations go over a network, {_words(tuple(ELASTICITY_TITLES))} only where there "
        f"are applications, {_words(tuple(LIFE_TITLES))} only where VMs come and go or "
        "hosts fail.",
        table(("name", "title"), [(f"`{name}`", title) for name, title in TITLES.items()]),
    ]
    return page("Results", *parts)


def _metrics(metrics: dict[str, Metric]) -> str:
    rows = [(f"`{k}`", each.unit, each.title, each.definition) for k, each in metrics.items()]
    return table(("name", "unit", "title", "definition"), rows)


def _arrow(kind: Any) -> str:
    text = str(kind)
    return "text" if "string" in text else text


def _words(texts: tuple[str, ...]) -> str:
    return ", ".join(f"`{each}`" for each in texts)


def command_line() -> str:
    """Every command with its arguments and options."""
    parts = ["`python -m farmsim` is the same program."]
    for name, command in sorted(cli.commands.commands.items()):
        context = click.Context(command, info_name=name)
        usage = " ".join(["farmsim", name, *command.collect_usage_pieces(context)])
        rows = [
            (f"`{_option_names(each)}`", each.help or "")
            for each in command.params
            if isinstance(each, click.Option)
        ]
        parts += [f"## `farmsim {name}`", command.help or "", f"```text\n{usage}\n```"]
        if rows:
            parts.append(table(("option", "meaning"), rows))
    parts += [
        "## Exit codes",
        table(("code", "meaning"), [(str(code), what) for code, what in CODES]),
    ]
    return page("The command line", *parts)


def _option_names(option: click.Option) -> str:
    value = "" if option.is_flag else f" {option.metavar or option.type.name.upper()}"
    return ", ".join(option.opts) + value.replace(" RANGE", "")


MAKERS: dict[str, Callable[[], str]] = {
    "scenario.md": scenario,
    "policies.md": policies,
    "servers.md": catalogue,
    "hypervisors.md": hypervisors,
    "classes.md": classes,
    "workloads.md": workloads,
    "results.md": results,
    "cli.md": command_line,
}


def main(check: bool) -> int:
    """Write the pages; with ``check`` only name those that differ, and return 1 if any does."""
    PAGES.mkdir(exist_ok=True)
    stale = []
    for name, make in MAKERS.items():
        text, target = make(), PAGES / name
        if not target.exists() or target.read_text("utf-8") != text:
            stale.append(name)
            if not check:
                target.write_text(text, "utf-8")
    for name in stale:
        click.echo(f"{'stale' if check else 'wrote'}: docs/reference/{name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
