"""Commands of planning: size and headroom."""

import click

from .errors import ASSERTION_FAILED, DONE
from .options import (
    RUNS,
    Output,
    Source,
    json_option,
    output_options,
    quantity,
    source_options,
    time_s,
)
from .output import echo, echo_json, written


@click.command()
@click.argument("scenario")
@source_options()
@click.option("--vm", metavar="SIZE", help="Reference VM: 4c16g. Default: the median VM.")
@click.option(
    "--reserve",
    type=click.IntRange(0, 2),
    help="Hosts that may fail at once in each cluster; default: that of the scenario, or 1.",
)
@json_option("the answer")
def headroom(
    scenario: str, source: Source, vm: str | None, reserve: int | None, as_json: bool
) -> None:
    """Say how many more VMs fit so that failures are survived, and what limits them.

    For each cluster: how much each resource may grow alone, how many reference VMs fit together
    with the present ones, the resource and the failure that stop the next one, and what is left
    over then. VMs are placed, not summed up.
    """
    from ..analysis.planning.headroom import headroom_of

    answer = headroom_of(source.load(scenario), vm, reserve)
    if as_json:
        echo_json(answer.to_dict())
    else:
        echo(answer.text())


@click.command()
@click.argument("scenario")
@source_options()
@click.option(
    "--server",
    metavar="NAME",
    help="Server to buy: of the catalogue, or written out as in a scenario; default: that of most "
    "present hosts.",
)
@click.option("--memory", metavar="SIZE", help="Memory of each new host, e.g. '1 TiB'.")
@click.option(
    "--reserve",
    type=click.IntRange(0, 2),
    help="Hosts that may fail at once; default: that of the scenario, or 1.",
)
@click.option(
    "--time-limit",
    default="10 s",
    metavar="TIME",
    help="Time limit of each search for a placement on fewer hosts (wall-clock time).",
)
@output_options("the answer")
def size(
    scenario: str,
    source: Source,
    server: str | None,
    memory: str | None,
    reserve: int | None,
    time_limit: str,
    output: Output,
) -> int:
    """Say how many hosts are needed, what limits the number, and how far to trust it.

    Floors by memory, vCPUs, CPU and rules; a placement; every failure of the reserve; one
    simulation. Writes a page, the answer as JSON and the scenario of the sized farm. Exits with 1
    if no number of hosts is enough.
    """
    from ..analysis.run.run_directory import free
    from ..analysis.size_study.size import size as size_study
    from ..analysis.size_study.size_page import SIZED, save
    from ..analysis.size_study.size_text import text

    memory_mib = None if memory is None else quantity("--memory", memory, "memory")
    limit_s = time_s("--time-limit", time_limit)
    output.refuse(SIZED)
    loaded = source.load(scenario)
    there = output.out or free(RUNS / f"{loaded.name}-size", SIZED)
    answer, page = save(
        there, lambda new: size_study(loaded, server, memory_mib, reserve, limit_s, new)
    )
    written.append(page.parent)
    output.show(
        answer.to_dict,
        lambda: text(answer),
        f"report: {page}"
        + (
            "" if answer.hosts is None else f"\nrun it: farmsim run {page.parent / 'scenario.yaml'}"
        ),
    )
    return DONE if answer.hosts is not None else ASSERTION_FAILED
