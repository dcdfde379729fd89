"""Exit codes, and how each error becomes a message and one of them."""

import os
import sys
from io import StringIO

import click

from ..scenarios.errors.terminal_text import silence, warn
from .output import unwritable, written

DONE, ASSERTION_FAILED, BAD_INPUT, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 130


class Stopped(BaseException):
    """The process received a signal to end; ``signal`` is its number.

    It is no Exception, so that code which catches those of policies does not catch it.
    """

    def __init__(self, signal: int) -> None:
        super().__init__(signal)
        self.signal = signal


def tell(error: BaseException) -> int:
    """Write what is wrong to standard error and return the exit code.

    Mistakes of the user are told in full, each with its place; all other exceptions are faults of
    farmsim, whose traceback FARMSIM_DEBUG=1 shows.

    Codes are 2 for input that is wrong, 130 for an interruption by the user, 128 and the number of
    a signal, and 3 for a fault of farmsim. Nothing is written to standard output, which scripts
    read.
    """
    from ..scenarios.errors.problems import InputError

    if isinstance(error, Stopped):
        return _interrupted(128 + error.signal)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return _interrupted(INTERRUPTED)
    if isinstance(error, click.NoSuchOption) and error.ctx is not None:
        from ..scenarios.language.former_names import FORMER_NAMES

        now = FORMER_NAMES["option"].get(f"{error.ctx.command.name} {error.option_name}")
        if now is not None:
            message = f"{error.option_name} is now called {now}; write {now}"
            error = click.UsageError(message, error.ctx)
    if isinstance(error, click.ClickException):
        text = StringIO()
        error.show(text)
        warn(text.getvalue().rstrip("\n"))
        return BAD_INPUT
    if isinstance(error, InputError):
        for problem in error.problems:
            warn(str(problem))
        return BAD_INPUT
    if os.environ.get("FARMSIM_DEBUG"):
        import traceback

        warn("".join(traceback.format_exception(error)))
    warn(f"internal error: {type(error).__name__}: {error}")
    warn("This is a bug in farmsim; set FARMSIM_DEBUG=1 for the traceback.")
    return INTERNAL


def _interrupted(code: int) -> int:
    """Tell which files are complete, and return the exit code that was given."""
    what = " and ".join(str(path) for path in written) + " is complete"
    warn(f"interrupted; {what if written else 'nothing was written'}")
    return code


def unsaid(error: OSError) -> Exception:
    """Return what to raise when help cannot be written; a reader who has gone is no error.

    click itself would end with 1, which means that an assertion failed.
    """
    if isinstance(error, BrokenPipeError):
        silence(sys.stdout)
        return click.exceptions.Exit(DONE)
    return unwritable(error)
