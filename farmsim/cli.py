"""The command line. Everything heavy is imported by the command that needs it."""

import json
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .scenarios.errors.terminal_text import say, show_warning, silence, warn

if TYPE_CHECKING:
    from .scenarios.scenario import Scenario

DONE, ASSERTION_FAILED, BAD_INPUT, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 130

OVERRIDES = click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE",
    help="Override a value, e.g. farm.hosts.0.count=500. Repeatable.",
)  # fmt: skip
RUNS = Path("runs")
LONGEST_S = 1000 * 365.25 * 86_400.0
_written: list[Path] = []
"""What the running command has written so far."""
CATALOGUES = ["servers", "hypervisors", "classes", "policies", "workloads"]
ALLOW_CODE = click.option(
    "--allow-code", is_flag=True, help="Let the scenario load policies from your own modules."
)


def run_command_line(arguments: Sequence[str]) -> int:
    """Run farmsim and return its exit code: 0, 1, 2, 3, 130, or 128 and a signal's number."""
    _written.clear()
    warnings.showwarning = show_warning
    if any("\0" in each for each in arguments):
        warn("an argument holds a NUL character, which no path or name can; leave it out")
        return BAD_INPUT
    try:
        code = commands.main(args=list(arguments), prog_name="farmsim", standalone_mode=False)
    except click.ClickException as error:
        text = StringIO()
        error.show(text)
        warn(text.getvalue().rstrip("\n"))
        return BAD_INPUT
    except Stopped as stop:
        return _interrupted(128 + stop.signal)
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(INTERRUPTED)
    except Exception as error:
        return _report(error)
    return code if isinstance(code, int) else DONE


class Stopped(BaseException):
    """The process was asked to end by a signal, its number in ``signal``."""

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


def _interrupted(code: int) -> int:
    what = " and ".join(str(path) for path in _written) + " is complete"
    warn(f"interrupted; {what if _written else 'nothing was written'}")
    return code


def _report(error: Exception) -> int:
    from .scenarios.errors.problems import InputError

    if isinstance(error, InputError):
        for problem in error.problems:
            warn(str(problem))
        return BAD_INPUT
    if os.environ.get("FARMSIM_DEBUG"):
        warn("".join(traceback.format_exception(error)))
    warn(f"internal error: {type(error).__name__}: {error}")
    warn("This is a fault of farmsim; FARMSIM_DEBUG=1 shows where it is.")
    return INTERNAL


def echo(text: str) -> None:
    """Write to standard output; InputError, with what was written before, if that fails."""
    try:
        say(text)
    except OSError as error:
        from .scenarios.errors.problems import refuse
        from .scenarios.files.destination import reason

        silence(sys.stdout)
        saved = "".join(f"; {path} is complete" for path in _written)
        raise refuse("standard output", f"cannot be written: {reason(error)}{saved}") from None


class _Commands(click.Group):
    """A group whose help, too, ends quietly when its reader has gone, or says what is wrong.

    click itself would end with 1, which means that an assertion failed.
    """

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        try:
            return super().make_context(*args, **settings)
        except OSError as error:
            raise _unsaid(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _unsaid(error) from None


def _unsaid(error: OSError) -> Exception:
    from .scenarios.errors.problems import refuse
    from .scenarios.files.destination import reason

    silence(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return click.exceptions.Exit(DONE)
    return refuse("standard output", f"cannot be written: {reason(error)}")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="farmsim")
def commands() -> None:
    """Simulate a consolidated server farm: how many hosts, kWh and euros, at what risk."""


@commands.command()
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option(
    "--policy", type=click.Path(path_type=Path), metavar="FILE",
    help="Write a policy of your own with its test instead, such as my_policy.py.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
def init(path: Path | None, policy: Path | None, force: bool) -> None:
    """Write a commented starter scenario, and the schema that editors check it by."""
    from .scenarios.starter import commands_for, write_policy, write_starter

    if path is not None and policy is not None:
        raise click.UsageError("both a scenario and --policy are given; give one of them")
    scenario = path or Path("scenario.yaml")
    for written in write_policy(policy, force) if policy else write_starter(scenario, force):
        _written.append(written)
        echo(f"wrote {written}")
    for command in commands_for(policy) if policy else [f"farmsim run {scenario}"]:
        echo(f"now: {command}")


@commands.command()
@click.argument("scenarios", nargs=-1, required=True)
@OVERRIDES
@ALLOW_CODE
def validate(scenarios: tuple[str, ...], overrides: tuple[str, ...], allow_code: bool) -> None:
    """Check scenario files and their variants; traces are looked for, not read."""
    from .scenarios.errors.problems import InputError
    from .scenarios.variants import check

    problems = []
    for name in scenarios:
        try:
            check(name, overrides, allow_code)
        except InputError as error:
            problems += error.problems
        else:
            echo(f"{name}: ok")
    if problems:
        raise InputError(problems)


@commands.command()
@click.argument("scenario")
@OVERRIDES
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of all random draws.")
@click.option("--out", type=click.Path(path_type=Path), help="Run directory to write.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@ALLOW_CODE
def run(
    scenario: str,
    overrides: tuple[str, ...],
    seed: int | None,
    out: Path | None,
    quiet: bool,
    as_json: bool,
    allow_code: bool,
) -> int:
    """Run a scenario file, or library/NAME, and its baseline; write tables and report."""
    from .analysis.run.execute import execute
    from .analysis.run.run_directory import RUN, default_directory
    from .analysis.terminal import progress, summary_text
    from .scenarios.scenario import Scenario

    if seed is not None:
        overrides = (*overrides, f"seed={seed}")
    _refuse_out(out, RUN)
    loaded = Scenario.load(scenario, *overrides, allow_code=allow_code)
    with progress(quiet or as_json) as show_progress:
        result = execute(loaded, show_progress)
        where = result.save(out or default_directory(result, RUNS), checked=True)
    _written.append(where)
    if as_json:
        echo(json.dumps(result.summary, ensure_ascii=False, allow_nan=False))
    elif not quiet:
        echo(summary_text(result))
        echo(f"\nreport: {where / 'report.html'}")
    for failure in result.summary["failed_assertions"]:
        warn(f"assertion failed: {failure}")
    return ASSERTION_FAILED if result.summary["failed_assertions"] else DONE


@commands.command()
@click.argument("scenarios", nargs=-1, required=True)
@OVERRIDES
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of all random draws.")
@click.option("--band", is_flag=True, help="Run each at low, typical and high overheads.")
@click.option("--out", type=click.Path(path_type=Path), help="Directory to write.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@ALLOW_CODE
def compare(
    scenarios: tuple[str, ...],
    overrides: tuple[str, ...],
    seed: int | None,
    band: bool,
    out: Path | None,
    quiet: bool,
    as_json: bool,
    allow_code: bool,
) -> int:
    """Run scenarios, or the variants of one, on the same random numbers, side by side."""
    from .analysis.run.run_directory import COMPARED, free
    from .analysis.studies.compare import PAGE, run_all
    from .analysis.terminal import comparison_text, progress
    from .scenarios.variants import OVERHEADS, expand

    levels = OVERHEADS if band else None
    _refuse_out(out, COMPARED)
    variants = expand(scenarios, overrides, seed, levels, allow_code)
    with progress(quiet or as_json) as show_progress:
        comparison = run_all(variants, levels, show_progress)
        there = RUNS / f"{comparison.name}-{comparison.hash}"
        where = comparison.save(out or free(there, COMPARED), checked=True)
    _written.append(where)
    if as_json:
        echo(json.dumps(comparison.to_dict(), ensure_ascii=False, allow_nan=False))
    elif not quiet:
        echo(comparison_text(comparison))
        echo(f"\ncomparison: {where / PAGE}")
    for failure in comparison.failed_assertions:
        warn(f"assertion failed: {failure}")
    return ASSERTION_FAILED if comparison.failed_assertions else DONE


@commands.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="File to write.")
def report(directory: Path, out: Path | None) -> None:
    """Make the report of a run directory, or the page of a comparison, again."""
    from .analysis.run.result import Result
    from .analysis.run.run_directory import COMPARED, REPORT, RUN, kind_of, write_page
    from .analysis.studies.compare import PAGE, Comparison
    from .scenarios.files.atomic_replace import replace_text
    from .scenarios.files.destination import is_page, refuse_file

    if out is not None:
        refuse_file(out, is_page, "a page")
    kind, name = (COMPARED, PAGE) if kind_of(directory) == COMPARED else (RUN, REPORT)
    if kind == COMPARED:
        text = Comparison.load(directory).report(links=out is None)
    else:
        text = Result.load(directory).report()
    if out is None:
        out = write_page(directory, kind, name, text)
    else:
        replace_text(out, text, is_page, "a page")
    _written.append(out)
    echo(f"report: {out}")


@commands.command()
@click.argument("scenario")
@OVERRIDES
@click.option("--hosts", required=True, metavar="PATTERN", help="Hosts to empty: 'rack-3*'.")
@click.option("--at", default="0 h", metavar="TIME", help="When it begins, such as '10 h'.")
@click.option("--wave", default=0, type=click.IntRange(0), help="Hosts at once; 0: all.")
@click.option("--hold", default="0 min", metavar="TIME", help="Work on a wave's empty hosts.")
@click.option("--deadline", metavar="TIME", help="Exit with 1 also if it takes longer than this.")
@click.option("--out", type=click.Path(path_type=Path), help="Directory to write.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@ALLOW_CODE
def evacuate(
    scenario: str,
    overrides: tuple[str, ...],
    hosts: str,
    at: str,
    wave: int,
    hold: str,
    deadline: str | None,
    out: Path | None,
    quiet: bool,
    as_json: bool,
    allow_code: bool,
) -> int:
    """Empty hosts for maintenance: how long it takes, what it costs, what cannot leave.

    Exits with 1 if a host is not emptied within the run.
    """
    from .analysis.run.run_directory import RUN, default_directory
    from .analysis.studies.evacuate import evacuate as run_evacuation
    from .analysis.terminal import progress
    from .policies.control.evacuation import Evacuation
    from .scenarios.scenario import Scenario

    at_s, hold_s = _time("--at", at), _time("--hold", hold)
    deadline_s = None if deadline is None else _time("--deadline", deadline)
    _refuse_out(out, RUN)
    loaded = Scenario.load(scenario, *overrides, allow_code=allow_code)
    for option, end_s in (("--hold", at_s + hold_s), ("--deadline", at_s + (deadline_s or 0.0))):
        _refuse_beyond(loaded, option, at_s, end_s)
    policy = Evacuation(hosts, at_s, wave, hold_s, otherwise=loaded.policies.control)
    with progress(quiet or as_json) as show_progress:
        outcome = run_evacuation(loaded, policy, show_progress)
    there = out or default_directory(outcome.result, RUNS)
    directory = outcome.result.save(there, checked=True)
    _written.append(directory)
    if as_json:
        echo(json.dumps(outcome.to_dict()))
    elif not quiet:
        echo(f"{outcome.text()}\n\nreport: {directory / 'report.html'}")
    return DONE if outcome.within(deadline_s) else ASSERTION_FAILED


@commands.command()
@click.argument("scenario")
@OVERRIDES
@click.option("--at", required=True, metavar="TIME", help="Instant to look at, such as '10 h'.")
@click.option("--fill", default="100 %", metavar="SHARE", help="CPU of a host that may be used.")
@click.option("--time-limit", default="60 s", metavar="TIME", help="Longest search, in real time.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@ALLOW_CODE
def optimum(
    scenario: str,
    overrides: tuple[str, ...],
    at: str,
    fill: str,
    time_limit: str,
    as_json: bool,
    allow_code: bool,
) -> None:
    """Compare hosts in use with the minimum that would fit, at one instant."""
    from .analysis.studies.optimum import at_instant
    from .scenarios.scenario import Scenario

    at_s, limit_s = _time("--at", at), _time("--time-limit", time_limit)
    share = _quantity("--fill", fill, "share")
    if not 0 < share <= 1:
        raise click.BadParameter(f"--fill is {fill}; write a share above 0 % and up to 100 %")
    loaded = Scenario.load(scenario, *overrides, allow_code=allow_code)
    compared = at_instant(loaded, at_s, share, limit_s)
    echo(json.dumps(compared.to_dict()) if as_json else compared.text())


@commands.command()
@click.argument("scenario")
@OVERRIDES
@click.option("--at", metavar="TIME", help="Instant to look at; if absent the worst of the run.")
@click.option("--pairs", is_flag=True, help="Also test every pair of hosts.")
@click.option(
    "--assert-survives", "wanted", multiple=True,
    type=click.Choice(["host", "pair", "rack", "site"]),
    help="Exit with 1 if the failure of one strands a VM. Repeatable.",
)  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="Directory to write.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@ALLOW_CODE
def failover(
    scenario: str,
    overrides: tuple[str, ...],
    at: str | None,
    pairs: bool,
    wanted: tuple[str, ...],
    out: Path | None,
    quiet: bool,
    as_json: bool,
    allow_code: bool,
) -> int:
    """Let each host, rack and site fail in turn: what restarts, what is stranded, and why."""
    from .analysis.run.run_directory import FAILED_OVER, free
    from .analysis.studies.failover import failover as test_failover
    from .analysis.studies.failover_page import save
    from .scenarios.scenario import Scenario

    at_s = None if at is None else _time("--at", at)
    _refuse_out(out, FAILED_OVER)
    loaded = Scenario.load(scenario, *overrides, allow_code=allow_code)
    outcome = test_failover(loaded, at_s, pairs or "pair" in wanted)
    there = free(RUNS / f"{outcome.name}-failover", FAILED_OVER)
    page = save(outcome, out or there, checked=True)
    _written.append(page.parent)
    if as_json:
        echo(json.dumps(outcome.to_dict(), ensure_ascii=False))
    elif not quiet:
        echo(f"{outcome.text()}\n\nreport: {page}")
    failed = [kind for kind in wanted if not outcome.survives(kind)]
    for kind in failed:
        warn(f"assertion failed: does not survive the failure of any {kind}")
    return ASSERTION_FAILED if failed else DONE


@commands.command()
@click.argument("directory", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--vm", required=True, metavar="NAME", help="Name of a VM, or a pattern such as 'web-7*'."
)
@click.option("--json", "as_json", is_flag=True, help="Print the events as JSON.")
def explain(directory: Path, vm: str, as_json: bool) -> None:
    """Show one VM's history: where it was, why it moved, what that cost."""
    from .analysis.run.result import Result

    vm_history = Result.load(directory).vm_history(vm)
    if as_json:
        echo(json.dumps(vm_history.to_list(), ensure_ascii=False, allow_nan=False, indent=1))
    else:
        echo(vm_history.text())


def _quantity(option: str, text: str, dimension: str) -> float:
    """Return what an option such as ``10 h`` says, in the unit used inside."""
    from .scenarios.language.units import UnitError, parse

    try:
        return parse(text, dimension)
    except UnitError as error:
        raise click.BadParameter(f"{option}: {error}") from None


def _time(option: str, text: str) -> float:
    """Return the time of an option in s, which is finite and not negative."""
    value_s = _quantity(option, text, "time")
    if not 0 <= value_s <= LONGEST_S:
        raise click.BadParameter(f"{option} is {text}; write a time from 0 s to 1000 years")
    return value_s


def _refuse_beyond(scenario: "Scenario", option: str, at_s: float, end_s: float) -> None:
    """Refuse a time that ends after the run, in which nobody can see whether it is kept."""
    from .scenarios.errors.problems import refuse

    if at_s < scenario.run.duration < end_s:
        hours, most = end_s / 3600, scenario.run.duration / 3600
        message = f"ends {hours:g} h into the run, which lasts {most:g} h; lengthen run.duration"
        raise refuse(scenario.name, message, option)


def _refuse_out(out: Path | None, kind: str) -> None:
    """Refuse, before anything is run, a place where the result could not be written."""
    from .scenarios.files.atomic_replace import named
    from .scenarios.files.destination import refuse_directory, refuse_parents

    if out is None:
        refuse_parents(RUNS / kind)
    else:
        refuse_directory(named(out), kind)


@commands.command()
@click.argument("what", type=click.Choice(CATALOGUES))
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def catalog(what: str, name: str | None, as_json: bool) -> None:
    """List what farmsim knows, from servers to policies; NAME shows one in full."""
    from .scenarios.catalogue_listing import entries, text_of

    found = entries(what, name)
    if as_json:
        echo(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        echo(text_of(what, found, full=name is not None))


@commands.command()
@click.option("--out", type=click.Path(path_type=Path), help="File to write.")
def schema(out: Path | None) -> None:
    """Print the JSON Schema (draft 7) of scenarios."""
    from .scenarios.files.atomic_replace import replace_text
    from .scenarios.schema import schema_text
    from .scenarios.starter import SCHEMA, is_schema

    text = schema_text()
    if out is None:
        echo(text)
    else:
        replace_text(out, text + "\n", is_schema, SCHEMA)
        _written.append(out)
