"""Commands about inventories: import."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .errors import ASSERTION_FAILED, DONE
from .options import PATH, QUIET, json_option, time_s
from .output import echo, echo_json, written

if TYPE_CHECKING:
    from ..scenarios.inventory.inventory import Scope


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE…")
@click.option("-o", "--out", required=True, type=PATH, metavar="DIR", help="Directory to write.")
@click.option(
    "--map",
    "map_file",
    type=PATH,
    metavar="FILE",
    help="YAML file with headers, decimal marks, units, clusters, classes and power of your own.",
)
@click.option(
    "--include",
    default="",
    metavar="LIST",
    help="Classes that are left out otherwise, such as off,suspended,templates.",
)
@click.option(
    "--system",
    multiple=True,
    metavar="PATTERN",
    help="Names of further system VMs to leave out, such as 'nsx-*'. Repeatable.",
)
@click.option(
    "--include-maintenance",
    is_flag=True,
    help="Count hosts in maintenance, in quarantine or disconnected as capacity.",
)
@click.option("--tz", metavar="ZONE", help="Zone of times without one, such as Europe/Vienna.")
@click.option(
    "--interval",
    metavar="TIME",
    help="Time between files of counters that do not state theirs, such as '5 min' (libvirt).",
)
@click.option(
    "--anonymize",
    is_flag=True,
    help="Replace all names by numbered ones, the same with the same key.",
)
@click.option(
    "--key",
    type=PATH,
    metavar="FILE",
    help="Key file of --anonymize; default: DIR-key.json, beside the output.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if a finding is a warning or an error.")
@QUIET
@json_option("what import.json holds")
def import_inventory(
    files: tuple[Path, ...],
    out: Path,
    map_file: Path | None,
    include: str,
    system: tuple[str, ...],
    include_maintenance: bool,
    tz: str | None,
    interval: str | None,
    anonymize: bool,
    key: Path | None,
    strict: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Make a scenario of inventories and measured load: RVTools, vROps, Proxmox and others.

    FILE is a workbook, CSV, JSON or text file, or a folder or zip of them; give several of one
    farm together. Findings about the data do not change the exit code, unless --strict is given.
    """
    from ..analysis.planning.import_directory import import_to
    from ..scenarios.files.atomic_replace import named
    from ..scenarios.importing.anonymise import Aliases
    from ..scenarios.importing.importer import ImportOptions, run_name
    from ..scenarios.importing.mapping import read_mapping

    if key is not None and not anonymize:
        raise click.UsageError("--key is of no use without --anonymize; add it")
    out = named(out)
    key_file = (key or out.with_name(f"{out.name}-key.json")) if anonymize else None
    options = ImportOptions(
        name=run_name(out),
        mapping=None if map_file is None else read_mapping(map_file),
        include=_scopes(include),
        system=system,
        time_zone=tz,
        interval_s=None if interval is None else time_s("--interval", interval),
        include_maintenance=include_maintenance,
        aliases=None if key_file is None else Aliases.read(key_file),
    )
    outcome = import_to(files, out, options, key_file)
    written.append(out)
    if as_json:
        echo_json(outcome.to_dict())
    elif not quiet:
        echo(outcome.text())
        if key_file is not None:
            echo(f"Key     {key_file}: keep it, and keep it apart from what you hand on")
    return DONE if not strict or outcome.strict() else ASSERTION_FAILED


def _scopes(include: str) -> "frozenset[Scope]":
    """Return the classes that ``--include`` names. Raises BadParameter for one that is none."""
    from ..scenarios.errors.suggest import unknown_name
    from ..scenarios.inventory.scope import INCLUDES

    words = [word.strip().lower() for word in include.split(",") if word.strip()]
    for word in words:
        if word not in INCLUDES:
            raise click.BadParameter(f"--include: {unknown_name('class', word, INCLUDES)}")
    return frozenset(INCLUDES[word] for word in words)
