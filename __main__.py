"""``python -m farmsim`` and the ``farmsim`` command."""

import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # One thread: farmsim multiplies no large matrices, starting a pool of threads takes longer
    # than reading a scenario, and results must not depend on the number of cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from .cli import run_command_line  # noqa: PLC0415 - after the environment is set

    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
