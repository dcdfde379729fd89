"""The program: all commands in one group. Everything heavy is imported by the command it serves."""

import warnings
from collections.abc import Sequence
from typing import Any

import click

from ..scenarios.errors.terminal_text import show_warning, warn
from .errors import BAD_INPUT, DONE, Stopped, tell, unsaid
from .inventory import import_inventory
from .output import echo, written
from .planning import headroom, size
from .runs import compare, explain, report, run
from .scenario_files import catalog, init, schema, validate
from .studies import evacuate, failover, optimum


def run_command_line(arguments: Sequence[str]) -> int:
    """Run farmsim and return its exit code: 0, 1, 2, 3, 130, or 128 and a signal's number.

    ``arguments`` are those of the command line without the program's name. No exception leaves it:
    each becomes a message and a code, see :func:`.tell`. What earlier calls in the same process
    have written is forgotten first.
    """
    written.clear()
    warnings.showwarning = show_warning
    if any("\0" in each for each in arguments):
        warn("an argument contains a NUL character; remove it")
        return BAD_INPUT
    try:
        code = commands.main(args=list(arguments), prog_name="farmsim", standalone_mode=False)
    except (Exception, KeyboardInterrupt, Stopped) as error:
        return tell(error)
    return code if isinstance(code, int) else DONE


class _Commands(click.Group):
    """Group of commands whose help also ends quietly when the reader closes the pipe.

    click writes help while it makes the context and while it invokes a command, so that both have
    to be watched.
    """

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        """Read the arguments, and write help where it is requested.

        Raises Exit with 0 if the reader of the help has gone, and InputError if it cannot be
        written.
        """
        try:
            return super().make_context(*args, **settings)
        except OSError as error:
            raise unsaid(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named.

        Raises Exit with 0 if the reader of its output has gone; other errors are those of the
        command.
        """
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise unsaid(error) from None


def _say_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        from ..models.base.kernel import kernel

        echo(f"farmsim, version {version('farmsim')}, kernel {kernel()}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_say_version,
    help="Show the version, and whether the compiled kernel is used.",
)
def commands() -> None:
    """Simulate a consolidated server farm: how many hosts, kWh and euros, at what risk."""


for each in (
    init,
    validate,
    schema,
    catalog,
    import_inventory,
    run,
    compare,
    report,
    explain,
    evacuate,
    failover,
    optimum,
    headroom,
    size,
):
    commands.add_command(each)
