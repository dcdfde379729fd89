"""Options that several commands share, and the objects that they arrive in.

A command is decorated with ``source_options`` and ``output_options`` and takes a ``Source`` and
an ``Output`` in place of one argument for each option.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .output import echo, echo_json

if TYPE_CHECKING:
    from ..analysis.run.execute import Progress
    from ..scenarios.scenario import Scenario

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]

RUNS = Path("runs")
"""Where run directories go that are not told another place."""
LONGEST_S = 1000 * 365.25 * 86_400.0
PATH = click.Path(path_type=Path)
OVERRIDES = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="PATH=VALUE",
    help="Override a field, e.g. farm.hosts.0.count=500. Repeatable.",
)
SEED = click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of all random numbers.")
ALLOW_CODE = click.option(
    "--allow-code",
    is_flag=True,
    help="Allow the scenario to load policies from your own Python modules.",
)
QUIET = click.option("--quiet", is_flag=True, help="Print nothing but errors.")


def out_option(what: str) -> Decorator:
    """Return ``--out`` for a ``what`` such as a file.

    It takes a path and gives None where it is absent; what is then written is up to the command.
    """
    return click.option("--out", type=PATH, help=f"{what} to write.")


def json_option(what: str) -> Decorator:
    """Return ``--json`` for what would else be printed as text.

    The command gets it as ``as_json``.
    """
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as JSON.")


class Source(NamedTuple):
    """Where scenarios come from: files as changed by ``--set``, with or without code of users.

    ``overrides`` are texts such as ``farm.hosts.0.count=500``; ``seed`` is None where the command
    line gives none, so that the scenario's holds.
    """

    overrides: tuple[str, ...]
    allow_code: bool
    seed: int | None = None

    def load(self, name: str) -> "Scenario":
        """Return the scenario of a file or of the library; InputError with all its mistakes.

        The seed is put over the scenario after all other overrides. Code of the user's is refused
        unless it was allowed.
        """
        from ..scenarios.scenario import Scenario

        seed = () if self.seed is None else (f"seed={self.seed}",)
        return Scenario.load(name, *self.overrides, *seed, allow_code=self.allow_code)


class Output(NamedTuple):
    """Where a result goes and how much is printed of it.

    ``out`` is None where the command line names no place: results then go below RUNS.
    """

    out: Path | None
    quiet: bool
    as_json: bool

    def refuse(self, kind: str) -> None:
        """Refuse an output path that cannot be written, before the run.

        Raises InputError.

        ``kind`` is that of the result, such as a run: a directory of the same kind that farmsim
        wrote may be replaced, anything else may not.
        """
        from ..scenarios.files.atomic_replace import named
        from ..scenarios.files.destination import refuse_directory, refuse_parents

        if self.out is None:
            refuse_parents(RUNS / kind)
        else:
            refuse_directory(named(self.out), kind)

    def progress(self) -> "AbstractContextManager[Progress | None]":
        """Return what shows progress on a terminal, where anything is to be seen.

        It gives None with ``--quiet`` or ``--json``, which promise that nothing else is printed.
        """
        from ..analysis.terminal import progress

        return progress(self.quiet or self.as_json)

    def show(self, data: Callable[[], Any], text: Callable[[], str], where: str) -> None:
        """Print a result as JSON, or as text and with where it stands, or not at all.

        ``data`` and ``text`` are called only if they are printed; ``where`` is a line such as the
        path of the report.
        """
        if self.as_json:
            echo_json(data())
        elif not self.quiet:
            echo(text())
            echo(f"\n{where}")


def source_options(*more: Decorator) -> Decorator:
    """Let a command take ``source``, of ``--set``, ``--allow-code`` and ``more`` of its fields.

    The order of the options is that of ``--help``. ``more`` are options such as SEED, whose names
    are fields of Source.
    """
    return _packed("source", Source, (OVERRIDES, *more, ALLOW_CODE))


def output_options(what: str, directory: str = "Directory") -> Decorator:
    """Let a command take ``output``; its result is called ``what`` in the help.

    ``directory`` is how the help calls what ``--out`` names.
    """
    return _packed("output", Output, (out_option(directory), QUIET, json_option(what)))


def _packed(name: str, kind: type[Source | Output], options: Sequence[Decorator]) -> Decorator:
    """Add options to a command and hand their values over as one argument.

    ``kind`` is a named tuple whose fields are the names under which click passes the options;
    fields without an option keep their defaults.
    """

    def decorate(function: Command) -> Command:
        @wraps(function)
        def command(**values: Any) -> Any:
            own = {each: values.pop(each) for each in kind._fields if each in values}
            return function(**values, **{name: kind(**own)})

        decorated: Command = command
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def quantity(option: str, text: str, dimension: str) -> float:
    """Return what an option such as ``10 h`` says, in the unit used inside.

    ``dimension`` is a key of DIMENSIONS; the base units are s, MHz, MiB, Mbit/s, W and shares of 1.
    Raises BadParameter, which names the option and says what would be right.
    """
    from ..scenarios.language.units import UnitError, parse

    try:
        return parse(text, dimension)
    except UnitError as error:
        raise click.BadParameter(f"{option}: {error}") from None


def time_s(option: str, text: str) -> float:
    """Return the time of an option in s, which is finite and not negative.

    Raises BadParameter for what is no time, for negative times and for more than LONGEST_S.
    """
    value_s = quantity(option, text, "time")
    if not 0 <= value_s <= LONGEST_S:
        raise click.BadParameter(f"{option} is {text}; write a time from 0 s to 1000 years")
    return value_s


def refuse_beyond(scenario: "Scenario", option: str, at_s: float, end_s: float) -> None:
    """Refuse a deadline after the end of the run.

    Nothing is refused where the time begins after the run: that is told by the study itself. Raises
    InputError at the name of the scenario, with the option as the field.
    """
    from ..scenarios.errors.problems import refuse

    if at_s < scenario.run.duration < end_s:
        hours, most = end_s / 3600, scenario.run.duration / 3600
        message = (
            f"ends {hours:g} h into the run, which lasts only {most:g} h; lengthen run.duration"
        )
        raise refuse(scenario.name, message, option)
