"""Write figures of the hypervisor catalogue into pages: ``python docs/calibration.py``.

In ``docs/hypervisors.md`` and ``docs/claims/*.md`` a mark says what is to stand up to the next
``<!-- end -->``:

- ``<!-- figures PROFILE,... FIGURE,... -->``: figures of hypervisors by dotted name, with range,
  confidence mark and source;
- ``<!-- factors PROFILE,... CLASS,... [--server NAME] [--assists FLAG,...] [--path NAME] -->``:
  physical CPU per unit of bare-metal work of request classes, typical and range.

``--check`` writes nothing and fails where a page is stale.
"""

import argparse
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from farmsim.analysis.base.wording import shown
from farmsim.models.base.estimates import LEVELS, Level, figures_of
from farmsim.models.hardware.cpu_features import assists_of, checked_assists
from farmsim.models.hardware.server import servers
from farmsim.models.hypervisor.overheads import Platform
from farmsim.models.hypervisor.profiles import profile, sources
from farmsim.models.service.request_class import request_class
from farmsim.models.workload.vm_size import VmSize

DOCS = Path(__file__).parent
BLOCK = re.compile(r"<!-- (figures|factors) ([^\n]*?) -->\n.*?<!-- end -->", re.DOTALL)
VM = VmSize("common", vcpus=2, clock_mhz=2600.0, memory_mib=4096.0)


def table(header: Sequence[str], numbers: Sequence[int], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the columns of ``numbers`` are aligned to the right."""
    rule = ["---:" if column in numbers else "---" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *rows))


def figures(arguments: Sequence[str]) -> str:
    """Return figures of hypervisors with range, confidence mark and source.

    ``arguments`` are profiles and dotted names of figures, each separated by commas. A row for each
    pair, figures first. Raises KeyError if a profile has no such figure.
    """
    names, wanted = (text.split(",") for text in arguments)
    rows = []
    for figure in wanted:
        for name in names:
            held = {dotted: value for dotted, _, value in figures_of(profile(name))}[figure]
            bounds = [shown(bound) for bound in (held.low, held.typical, held.high)]
            said = sources().get(held.source, held.source)
            text = f"{said}: {held.note}" if held.note else said
            rows.append([f"`{figure}`", f"`{name}`", *bounds, held.confidence, text])
    header = ["figure", "profile", "low", "typical", "high", "mark", "source and note"]
    return table(header, (2, 3, 4), rows)


def factors(arguments: Sequence[str]) -> str:
    """Return the work factor of request classes on hypervisors.

    The work factor is the CPU that a request class takes on a hypervisor over that on bare metal,
    for a VM of 2 vCPUs and 4 GiB (:data:`VM`). Cells hold the typical value and, in brackets, those
    of the low and the high level. Assists are those of the server unless they are given.
    """
    parser = argparse.ArgumentParser("factors")
    parser.add_argument("profiles")
    parser.add_argument("classes")
    parser.add_argument("--server", default="dell_r720_e5_2670")
    parser.add_argument("--assists")
    parser.add_argument("--path", default="")
    asked = parser.parse_args(arguments)
    server, classes = servers()[asked.server], asked.classes.split(",")
    assists = assists_of(server.cpu, server.published)
    if asked.assists is not None:
        assists = checked_assists(asked.assists.split(",") if asked.assists else ())

    def cell(name: str, load: str) -> str:
        def factor(level: Level) -> float:
            platform = Platform(profile(name).at(level), server, assists, asked.path, asked.path)
            return platform.work_factor(VM, request_class(load, level))

        low, typical, high = (factor(level) for level in LEVELS)
        return f"{typical:.2f} [{low:.2f}, {high:.2f}]"

    rows = [[f"`{name}`", *(cell(name, load) for load in classes)]
            for name in asked.profiles.split(",")]  # fmt: skip
    header = ["", *(f"`{load}`" for load in classes)]
    return table(header, range(1, len(header)), rows)


MAKERS: dict[str, Callable[[Sequence[str]], str]] = {"figures": figures, "factors": factors}


def renewed(text: str) -> str:
    """Return a page with its tables made anew.

    Raises KeyError or SystemExit where a mark has arguments that are not known.
    """

    def block(found: re.Match[str]) -> str:
        kind, arguments = found.groups()
        made = MAKERS[kind](shlex.split(arguments))
        return f"<!-- {kind} {arguments} -->\n\n{made}\n\n<!-- end -->"

    return BLOCK.sub(block, text)


def main(check: bool) -> int:
    """Write or check the pages; return 1 if one was stale in a check."""
    stale = []
    for page in (DOCS / "hypervisors.md", *sorted((DOCS / "claims").glob("*.md"))):
        text = page.read_text("utf-8")
        made = renewed(text)
        if made != text:
            stale.append(page.name)
            if not check:
                page.write_text(made, "utf-8")
    sys.stdout.write(f"{'stale' if check else 'written'}: {', '.join(stale) or 'none'}\n")
    return int(check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main("--check" in sys.argv[1:]))
