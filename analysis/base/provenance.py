"""Provenance of a result: versions and inputs."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from ...models.base.kernel import kernel
from ...scenarios.traces.trace import InputFile

PARTS = ("farmsim", "numpy", "simpy", "pydantic", "pyarrow", "plotly", "scipy")


@cache
def versions() -> Mapping[str, str]:
    """Return versions of farmsim, Python and the libraries that a result depends on.

    A library that is not installed as a package is ``unknown``. ``kernel`` says whether the
    compiled part was used.
    """
    found = {"python": platform.python_version(), "kernel": kernel()}
    for name in PARTS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def input_records(files: Sequence[InputFile]) -> list[dict[str, object]]:
    """Return name, size and hash of each input file; more than 20 are summed up in one.

    The hash of many files is that of their names and hashes, in the order given.

    Sizes are in bytes, hashes SHA-256 in hexadecimal digits. Empty where the load was generated.
    """
    records: list[dict[str, object]] = [
        {"name": each.name, "bytes": each.size_bytes, "sha256": each.sha256} for each in files
    ]
    if len(records) <= 20:
        return records
    joined = "".join(f"{each.name}:{each.sha256}\n" for each in files)

    return [
        {
            "name": f"{len(files)} files",
            "bytes": sum(each.size_bytes for each in files),
            "sha256": hashlib.sha256(joined.encode()).hexdigest(),
        }
    ]
