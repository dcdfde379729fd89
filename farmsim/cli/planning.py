"""Commands of planning: headroom."""

import click

from .options import Source, json_option, source_options
from .output import echo, echo_json


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
