"""Tables as text and in pages: what a command measured, written into the marked block of a page.

A block is ``<!-- name -->`` to ``<!-- end -->``. A table is a sequence of rows of texts, the header
first.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

Row = Sequence[str]


def aligned(rows: Sequence[Row]) -> str:
    """Return rows as lines, each column as wide as its widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def markdown(rows: Sequence[Row]) -> str:
    """Return rows as a table of Markdown; all columns but the first are aligned to the right."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "| --- |" + " ---: |" * (len(rows[0]) - 1))
    return "\n".join(lines)


def renew(page: Path, blocks: Mapping[str, str]) -> None:
    """Write blocks of a page anew, given by name; the others stay as they are.

    Raises KeyError if the page has no block of a name.
    """
    text = page.read_text("utf-8")
    for name, block in blocks.items():
        pattern = re.compile(rf"<!-- {re.escape(name)} -->\n.*?<!-- end -->", re.DOTALL)
        if not pattern.search(text):
            raise KeyError(f"{page} has no block {name!r}")
        made = f"<!-- {name} -->\n\n{block}\n\n<!-- end -->"
        text = pattern.sub(lambda _, made=made: made, text)
    page.write_text(text, "utf-8")
