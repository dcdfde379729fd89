"""Commands about scenario files: init, validate, schema, catalog."""

from pathlib import Path

import click

from .options import PATH, Source, out_option, source_options
from .output import echo, echo_json, written

CATALOGUES = ["servers", "hypervisors", "classes", "policies", "workloads"]


@click.command()
@click.argument("path", required=False, type=PATH)
@click.option(
    "--policy",
    type=PATH,
    metavar="FILE",
    help="Write a policy of your own with its test instead, such as my_policy.py.",
)
@click.option("--force", is_flag=True, help="Overwrite existing files.")
def init(path: Path | None, policy: Path | None, force: bool) -> None:
    """Write a commented starter scenario and the schema with which editors check it."""
    from ..scenarios.starter import commands_for, write_policy, write_starter

    if path is not None and policy is not None:
        raise click.UsageError("both a scenario and --policy are given; give one of them")
    scenario = path or Path("scenario.yaml")
    for each in write_policy(policy, force) if policy else write_starter(scenario, force):
        written.append(each)
        echo(f"wrote {each}")
    for command in commands_for(policy) if policy else [f"farmsim run {scenario}"]:
        echo(f"now: {command}")


@click.command()
@click.argument("scenarios", nargs=-1, required=True)
@source_options()
def validate(scenarios: tuple[str, ...], source: Source) -> None:
    """Check scenario files and their variants; traces must exist but are not read."""
    from ..scenarios.errors.problems import InputError
    from ..scenarios.variants import check

    problems = []
    for name in scenarios:
        try:
            check(name, source.overrides, source.allow_code)
        except InputError as error:
            problems += error.problems
        else:
            echo(f"{name}: ok")
    if problems:
        raise InputError(problems)


@click.command()
@out_option("File")
def schema(out: Path | None) -> None:
    """Print the JSON Schema (draft 7) of scenarios."""
    from ..scenarios.files.atomic_replace import replace_text
    from ..scenarios.schema import schema_text
    from ..scenarios.starter import SCHEMA, is_schema

    text = schema_text()
    if out is None:
        echo(text)
    else:
        replace_text(out, text + "\n", is_schema, SCHEMA)
        written.append(out)


@click.command()
@click.argument("what", type=click.Choice(CATALOGUES))
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def catalog(what: str, name: str | None, as_json: bool) -> None:
    """List the servers, hypervisors, policies … that farmsim knows; NAME shows one in full.

    Servers are also found by words of their identifier, maker, model or processor, in any order:
    `farmsim catalog servers 'gold 6248'`.
    """
    from ..scenarios.catalogue_listing import entries, text_of

    found = entries(what, name)
    if as_json:
        echo_json(found, indent=1)
        return
    if any(entry.get("nearest") for entry in found):
        echo(f"No server has all words of {name!r}. The nearest:")
    echo(text_of(what, found, full=name is not None and len(found) == 1))
