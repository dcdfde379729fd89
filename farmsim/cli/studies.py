"""Commands that ask one question of a farm: evacuate, failover, optimum."""

import click

from ..scenarios.errors.terminal_text import warn
from .errors import ASSERTION_FAILED, DONE
from .options import (
    RUNS,
    Output,
    Source,
    json_option,
    output_options,
    quantity,
    refuse_beyond,
    source_options,
    time_s,
)
from .output import echo, echo_json, written


@click.command()
@click.argument("scenario")
@source_options()
@click.option("--hosts", required=True, metavar="PATTERN", help="Hosts to empty: 'rack-3*'.")
@click.option("--at", default="0 h", metavar="TIME", help="Start of the evacuation, e.g. '10 h'.")
@click.option(
    "--hosts-per-wave", default=0, type=click.IntRange(0), help="Hosts emptied at a time; 0: all."
)
@click.option(
    "--maintenance-time",
    default="0 min",
    metavar="TIME",
    help="Time for maintenance on the empty hosts of a wave.",
)
@click.option(
    "--deadline", metavar="TIME", help="Also exit with 1 if the evacuation takes longer than this."
)
@output_options("the outcome")
def evacuate(
    scenario: str,
    source: Source,
    hosts: str,
    at: str,
    hosts_per_wave: int,
    maintenance_time: str,
    deadline: str | None,
    output: Output,
) -> int:
    """Empty hosts for maintenance: how long it takes, what it costs, which VMs cannot leave.

    Exits with 1 if a host is not emptied within the run.
    """
    from ..analysis.run.run_directory import RUN, default_directory
    from ..analysis.studies.evacuate import evacuate as run_evacuation
    from ..policies.control.evacuation import Evacuation

    at_s, hold_s = time_s("--at", at), time_s("--maintenance-time", maintenance_time)
    deadline_s = None if deadline is None else time_s("--deadline", deadline)
    output.refuse(RUN)
    loaded = source.load(scenario)
    for option, end_s in (
        ("--maintenance-time", at_s + hold_s),
        ("--deadline", at_s + (deadline_s or 0.0)),
    ):
        refuse_beyond(loaded, option, at_s, end_s)
    policy = Evacuation(hosts, at_s, hosts_per_wave, hold_s, base_policy=loaded.policies.control)
    with output.progress() as show_progress:
        outcome = run_evacuation(loaded, policy, show_progress)
    there = output.out or default_directory(outcome.result, RUNS)
    where = outcome.result.save(there, checked=True)
    written.append(where)
    output.show(outcome.to_dict, outcome.text, f"report: {where / 'report.html'}")
    return DONE if outcome.within(deadline_s) else ASSERTION_FAILED


@click.command()
@click.argument("scenario")
@source_options()
@click.option("--at", metavar="TIME", help="Instant to examine; default: the worst of the run.")
@click.option("--pairs", is_flag=True, help="Also test every pair of hosts.")
@click.option(
    "--assert-survives",
    "wanted",
    multiple=True,
    type=click.Choice(["host", "pair", "rack", "site"]),
    help="Exit with 1 if the failure of any one strands a VM. Repeatable.",
)
@output_options("the outcome")
def failover(
    scenario: str,
    source: Source,
    at: str | None,
    pairs: bool,
    wanted: tuple[str, ...],
    output: Output,
) -> int:
    """Fail each host, rack and site in turn: which VMs restart, which are stranded, and why.

    With clusters or limits of a plan in the scenario, also a table of each cluster: what every
    failure of a host, the worst pairs, racks and sites leave of memory, vCPUs and CPU.
    """
    from ..analysis.planning.failure_tables import failover_with_tables
    from ..analysis.run.run_directory import FAILED_OVER, free
    from ..analysis.studies.failover_page import save, values

    at_s = None if at is None else time_s("--at", at)
    output.refuse(FAILED_OVER)
    outcome, tables = failover_with_tables(source.load(scenario), at_s, pairs or "pair" in wanted)
    clusters = [table.to_dict() for table in tables]
    there = free(RUNS / f"{outcome.name}-failover", FAILED_OVER)
    page = save(outcome, output.out or there, True, clusters)
    written.append(page.parent)
    output.show(
        lambda: values(outcome, clusters),
        lambda: "\n\n".join([outcome.text(), *(table.text() for table in tables)]),
        f"report: {page}",
    )
    failed = [kind for kind in wanted if not outcome.survives(kind)]
    for kind in failed:
        warn(f"assertion failed: does not survive the failure of any {kind}")
    return ASSERTION_FAILED if failed else DONE


@click.command()
@click.argument("scenario")
@source_options()
@click.option("--at", required=True, metavar="TIME", help="Instant to examine, e.g. '10 h'.")
@click.option(
    "--max-utilisation",
    default="100 %",
    metavar="SHARE",
    help="Share of a host's CPU that may be used.",
)
@click.option(
    "--time-limit",
    default="60 s",
    metavar="TIME",
    help="Time limit of the search (wall-clock time).",
)
@json_option("the outcome")
def optimum(
    scenario: str, source: Source, at: str, max_utilisation: str, time_limit: str, as_json: bool
) -> None:
    """Compare hosts in use with the minimum that would fit, at one instant."""
    from ..analysis.studies.optimum import at_instant

    at_s, limit_s = time_s("--at", at), time_s("--time-limit", time_limit)
    share = quantity("--max-utilisation", max_utilisation, "share")
    if not 0 < share <= 1:
        raise click.BadParameter(
            f"--max-utilisation is {max_utilisation}; write a share above 0 % and up to 100 %"
        )
    compared = at_instant(source.load(scenario), at_s, share, limit_s)
    if as_json:
        echo_json(compared.to_dict())
    else:
        echo(compared.text())
