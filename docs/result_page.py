"""The page of the reference about what a run leaves: files, metrics, tables, figures.

Tables and their columns are read from a small run in which nearly everything occurs
(:data:`SAMPLE`), metrics and figures from their definitions. A table that the sample does not make
is missing from the page.
"""

from typing import Any

from describe import table
from pages import page

import farmsim
from farmsim.analysis.report.figures import FIGURES
from farmsim.analysis.run.run_directory import BASELINE, MANIFEST, REPORT, SCENARIO, SUMMARY, TABLES
from farmsim.analysis.topics.catalogue import TOPICS
from farmsim.models.base.metric_definitions import METRICS, SAVINGS, WHERE_KNOWN, Metric
from farmsim.models.state.columns import POWER_STATES, VM_STATES
from farmsim.sim.actuator import OUTCOMES

FILES = {
    MANIFEST: "Name, seed, versions, hashes of the inputs, number of control rounds; who wrote "
    "the directory, what it is (`kind`), each file with its SHA-256, and directories below "
    "it with a manifest of their own (`parts`).",
    SCENARIO: "The scenario with every default and override written out; it runs again beside the "
    "files that it names.",
    SUMMARY: "The metrics below, each `{value, unit, ci95, n}`, with `verdict`, `not_done` "
    "(what was not done, one clause each), `baselines` (of each its label and title, what is said "
    "and saved against it, or why nothing is claimed), `warnings`, "
    "`failed_assertions`, `assumptions`, `data_quality`, `schema_version`. No NaN: a metric "
    "without a value is `null`. `ci95` is `null` for a single replication.",
    REPORT: "The report: one page that needs neither network nor other files.",
    f"{TABLES}/": "The tables below, as Parquet.",
    f"{BASELINE}/": "The same files, report apart, for the first run that savings are measured "
    f"against, `{BASELINE}-2/` and so on for further ones; absent with `baseline: {{type: none}}`.",
}
SAMPLE: dict[str, Any] = {
    "run": {"duration": "10 min", "host_series": True},
    "farm": {
        "hosts": [{"name": "h", "server": "hp_ml110_g5", "count": 4}],
        "clusters": [{"name": "c", "hosts": ["h"]}],
        "rack_power_limit": "10 kW",
    },
    "workload": {
        "source": {"type": "constant", "utilisation": 0.5},
        "vms": 1,
        "sizes": [{"name": "standard", "cluster": "c"}],
    },
    "applications": [
        {
            "name": "a",
            "size": "standard",
            "max_members": 1,
            "load": {"type": "constant", "rate": "1 GHz"},
        },
    ],
    "policies": {
        "reserve": [{"kind": "share", "memory": "10 %", "cpu": "10 %"}, {"kind": "hosts"}],
        "control": {"policy": "evacuation", "hosts": "h-4", "at": "1 min"},
    },
    "migration": {"model": "pre_copy"},
    "failures": {"schedule": [{"at": "5 min", "match": ["h-1"], "duration": "1 min"}]},
    "baseline": {"type": "none"},
}
ONLY_WITH = {table.name: table.only for topic in TOPICS for table in topic.tables if table.only}


def results() -> str:
    """Files, metrics, tables and figures of a run.

    The run takes part of a second and writes nothing. Currency is called ``money``, since it is the
    scenario's.
    """
    result = farmsim.run(SAMPLE)
    parts = [
        "`farmsim run` writes a run directory, in Python `result.save(directory)` does; "
        "`farmsim.load(directory)` reads it back. [Metrics](../metrics.md) gives the formulas.",
        "## Files",
        table(("file", "what it holds"), [(f"`{name}`", what) for name, what in FILES.items()]),
        "## Metrics",
        "Under these names in `summary.json`, in `result.value(NAME)` and in `assert:`. "
        "Where the denominator of a ratio is 0, its value is 0 (of work served: 1). `money` stands "
        "for the scenario's currency.",
        _metrics(METRICS),
        "Only where VMs have a request class, tenants, rules, applications or a reserve are "
        "named, or migrations go over a network:",
        _metrics(WHERE_KNOWN),
        "Only where there is a baseline, against the first of them; no value where the work of the "
        "two runs differs, so that no saving is claimed. The last only where `cost.investment` is "
        "given:",
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
        "`result.figure(NAME)` returns a Plotly figure.",
        table(
            ("name", "title", "where"),
            [(f"`{each.name}`", each.title, each.only or "") for each in FIGURES.values()],
        ),
    ]
    return page("Results", *parts)


def _metrics(metrics: dict[str, Metric]) -> str:
    """Return a table of metrics with unit, title and definition, in the order of their definitions.

    What a metric is called here is its name in ``summary.json``; the title is what reports show.
    """
    rows = [(f"`{k}`", each.unit, each.title, each.definition) for k, each in metrics.items()]
    return table(("name", "unit", "title", "definition"), rows)


def _arrow(kind: Any) -> str:
    """Return a type of Arrow as readers know it: texts, however they are encoded, are ``text``.

    A dictionary saves memory where a text occurs in many rows; whoever reads the table sees texts.
    """
    text = str(kind)
    return "text" if "string" in text else text


def _words(texts: tuple[str, ...]) -> str:
    """Return the texts that a column may hold, as code, separated by commas."""
    return ", ".join(f"`{each}`" for each in texts)
