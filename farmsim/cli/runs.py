"""Commands that make or read run directories: run, compare, report, explain."""

from pathlib import Path

import click

from ..scenarios.errors.terminal_text import warn
from .errors import ASSERTION_FAILED, DONE
from .options import (
    PATH,
    RUNS,
    SEED,
    Output,
    Source,
    json_option,
    out_option,
    output_options,
    source_options,
)
from .output import echo, echo_json, written


@click.command()
@click.argument("scenario")
@source_options(SEED)
@output_options("the summary", "Run directory")
def run(scenario: str, source: Source, output: Output) -> int:
    """Run a scenario file (or library/NAME) and its baselines; write tables and a report."""
    from ..analysis.run.execute import execute
    from ..analysis.run.run_directory import RUN, default_directory
    from ..analysis.terminal import summary_text

    output.refuse(RUN)
    loaded = source.load(scenario)
    with output.progress() as show_progress:
        result = execute(loaded, show_progress)
        where = result.save(output.out or default_directory(result, RUNS), checked=True)
    written.append(where)
    page = f"report: {where / 'report.html'}"
    output.show(lambda: result.summary, lambda: summary_text(result), page)
    return _assertions(result.summary["failed_assertions"])


@click.command()
@click.argument("scenarios", nargs=-1, required=True)
@source_options(SEED)
@click.option("--overhead-range", is_flag=True, help="Run each at low, typical and high overheads.")
@output_options("the comparison")
def compare(
    scenarios: tuple[str, ...], source: Source, overhead_range: bool, output: Output
) -> int:
    """Compare scenarios, or the variants of one, on the same random numbers."""
    from ..analysis.run.run_directory import COMPARED, free
    from ..analysis.studies.compare import PAGE, run_all
    from ..analysis.terminal import comparison_text
    from ..scenarios.variants import OVERHEADS, expand

    levels = OVERHEADS if overhead_range else None
    output.refuse(COMPARED)
    variants = expand(scenarios, source.overrides, source.seed, levels, source.allow_code)
    with output.progress() as show_progress:
        comparison = run_all(variants, levels, show_progress)
        there = RUNS / f"{comparison.name}-{comparison.hash}"
        where = comparison.save(output.out or free(there, COMPARED), checked=True)
    written.append(where)
    page = f"comparison: {where / PAGE}"
    output.show(comparison.to_dict, lambda: comparison_text(comparison), page)
    return _assertions(comparison.failed_assertions)


@click.command()
@click.argument("directory", type=PATH)
@out_option("File")
def report(directory: Path, out: Path | None) -> None:
    """Regenerate the report of a run or the page of a comparison."""
    from ..analysis.run.result import Result
    from ..analysis.run.run_directory import COMPARED, REPORT, RUN, kind_of, write_page
    from ..analysis.studies.compare import PAGE, Comparison
    from ..scenarios.files.atomic_replace import replace_text
    from ..scenarios.files.destination import is_page, refuse_file

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
    written.append(out)
    echo(f"report: {out}")


@click.command()
@click.argument("directory", metavar="RUN", type=PATH)
@click.option(
    "--vm",
    required=True,
    metavar="NAME",
    help="Name of a VM, or a pattern that matches one, e.g. 'web-7*'.",
)
@json_option("the events")
def explain(directory: Path, vm: str, as_json: bool) -> None:
    """Show one VM's history: where it ran, why it was migrated, what that cost."""
    from ..analysis.run.result import Result

    vm_history = Result.load(directory).vm_history(vm)
    if as_json:
        echo_json(vm_history.to_list(), indent=1)
    else:
        echo(vm_history.text())


def _assertions(failed: list[str]) -> int:
    """Name the conditions that do not hold and return the exit code.

    They go to standard error, one a line, after the result itself has been written.
    """
    for failure in failed:
        warn(f"assertion failed: {failure}")
    return ASSERTION_FAILED if failed else DONE
