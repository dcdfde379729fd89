"""Write the reference pages from the code: ``python docs/build.py``; ``--check`` only compares.

Nothing of these pages is typed by hand: fields, bounds and defaults come from the models of
the scenario language, policies and metrics from their own tables, columns from a run. The tables
and the picture of the architecture are written too.

Each page is a function that returns its Markdown; :data:`MAKERS` maps files to them. To add a page,
write such a function and name it there. The check runs with the tests, so that code and pages
cannot differ for long.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import architecture
import click
from catalogue_pages import catalogue, classes, hypervisors, workloads
from describe import HEADER, Section, rows_of, sections, table
from findings_page import findings
from pages import page, prose
from result_page import results

from farmsim.cli import errors
from farmsim.cli.main import commands
from farmsim.models.hardware.power_curves import POWER_MODELS
from farmsim.models.hardware.reliability import DISTRIBUTIONS
from farmsim.models.migration.conversion import CONVERSIONS
from farmsim.models.migration.dirty_pages import DIRTY_PAGES
from farmsim.models.migration.fixed_rate import MIGRATION_MODELS
from farmsim.policies.catalogue import POLICIES
from farmsim.policies.control.control import ControlPolicy
from farmsim.policies.control.drain import Drain
from farmsim.policies.overload.detector import OverloadDetector
from farmsim.policies.placement.placement import Placement
from farmsim.policies.scaling.forecast import Forecaster
from farmsim.policies.scaling.scaling import ScalingPolicy
from farmsim.policies.selection.selection import Selection
from farmsim.scenarios.language.choices import model_of
from farmsim.scenarios.language.units import DIMENSIONS
from farmsim.scenarios.spec.spec import Spec

PAGES = Path(__file__).parent / "reference"
PROTOCOLS: dict[str, type] = {
    "placement": Placement, "overload": OverloadDetector, "selection": Selection,
    "drain": Drain, "control": ControlPolicy, "forecast": Forecaster,
    "scaling": ScalingPolicy,
}  # fmt: skip
CODES = (
    (errors.DONE, "done"),
    (
        errors.ASSERTION_FAILED,
        "done, but a condition under `assert:` does not hold, or `import --strict` found a warning",
    ),
    (errors.BAD_INPUT, "wrong usage, scenario or input; nothing was written"),
    (errors.INTERNAL, "a fault of farmsim; `FARMSIM_DEBUG=1` shows where"),
    (errors.INTERRUPTED, "interrupted; nothing was written"),
)


def scenario() -> str:
    """Every field of the scenario language.

    The order of sections is that of the models of the language; then come the models that a field
    may name. Bounds and defaults are read from the models themselves.
    """
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
        ("Distributions of times", "distribution", DISTRIBUTIONS),
    ):
        parts.append(f"## {title}")
        parts.append(
            f"Named with `{key}`; one whose fields all have defaults may be written as its name."
        )
        parts += [_option(name, key, cls) for name, cls in options.items()]
    return page("The scenario language", *parts)


def _units() -> str:
    """Return the table of quantities, their units and examples.

    Quantities that may be written as a bare number say in which unit it counts.
    """
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
    """Return the section of one mapping of the language: what it is, and a row per field.

    Sections of the top level have a heading of their own, all below them one of the next depth.
    """
    depth = "##" if each.path.count(".") == 0 else "###"
    title = f"`{each.path}`" if each.path else "The file"
    if each.types:
        title += f", {each.tag} " + " or ".join(f"`{name}`" for name in each.types)
    return f"{depth} {title}\n\n{each.what}\n\n{table(HEADER, each.rows)}"


def _option(name: str, key: str, cls: type) -> str:
    """Return the section of one model that ``key`` names, with its parameters."""
    rows = rows_of(model_of(cls))
    shown = table(HEADER, rows) if rows else f"`{key}: {name}` has no further fields."
    return f"### `{name}`\n\n{prose(cls.__doc__)}\n\n{shown}"


def policies() -> str:
    """Every policy with its parameters and its source.

    In the order of the kinds, each with the docstring of its protocol, its source in the code, and
    a row for each parameter. Policies of users are not in it: only what is registered by farmsim
    itself.
    """
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


def command_line() -> str:
    """Every command with its arguments and options.

    Usage, help and options are those of click, so that ``--help`` and the page agree. Exit codes
    are at the end.
    """
    parts = ["`python -m farmsim` is the same program."]
    for name, command in sorted(commands.commands.items()):
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
    """Return an option as it is written, with the kind of its value."""
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
    "findings.md": findings,
}


def main(check: bool) -> int:
    """Write the pages; with ``check`` only name those that differ, and return 1 if any does.

    Writes nothing that has not changed, so that a build leaves the times of files alone.
    """
    PAGES.mkdir(exist_ok=True)
    stale = []
    for name, make in MAKERS.items():
        text, target = make(), PAGES / name
        if not target.exists() or target.read_text("utf-8") != text:
            stale.append(name)
            if not check:
                target.write_text(text, "utf-8")
    stale = [f"reference/{name}" for name in stale] + architecture.write(check)
    for name in stale:
        click.echo(f"{'stale' if check else 'wrote'}: docs/{name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
