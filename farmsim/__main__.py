"""``python -m farmsim`` and the ``farmsim`` command."""

import gc
import os
import signal
import sys

ALLOCATIONS_PER_COLLECTION = 200_000
"""Python's default, 700, searches the modules being imported for garbage that is not there.

A run of a small scenario needs no search at all with this number.
"""


def main() -> None:
    """Run the command line and exit with its code.

    Threads of linear algebra are limited to one unless the environment says otherwise. SIGTERM and
    SIGHUP end a run as an interruption does, so that nothing half-written is left behind; a signal
    that the caller has set to be ignored stays ignored.
    """
    # One thread: farmsim multiplies no large matrices, starting a pool of threads takes longer
    # than reading a scenario, and results must not depend on the number of cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # The search for plugins of pydantic opens a file of each installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    gc.set_threshold(ALLOCATIONS_PER_COLLECTION)
    from .cli.errors import Stopped  # noqa: PLC0415 - after the environment is set
    from .cli.main import run_command_line  # noqa: PLC0415

    def stop(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one would stop the tidying up
        raise Stopped(number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)
    code = run_command_line(sys.argv[1:])
    # The last search for garbage is left out: the process ends here.
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
