"""Files of inventories and what is right in them, for tests."""

import json
from pathlib import Path
from typing import Any

from farmsim.scenarios.inventory.inventory import Inventory
from farmsim.scenarios.inventory_files.columns import ReadOptions
from farmsim.scenarios.inventory_files.open_files import open_files, opened_file
from farmsim.scenarios.inventory_files.sheets import InputFile
from farmsim.scenarios.inventory_formats.formats import recognised

DATA = Path(__file__).parents[1] / "data" / "inventory"


def expected(name: str) -> Any:
    """Return the right import of a file in tests/data/inventory."""
    return json.loads((DATA / f"{name}.expected.json").read_text(encoding="utf-8"))


def read_one(*names: str, **options: Any) -> Inventory:
    """Return the inventory of files in tests/data/inventory that form one group."""
    return inventory_of(open_files([DATA / name for name in names]), **options)


def inventory_of(files: list[InputFile], **options: Any) -> Inventory:
    """Return the inventory of files that form one group."""
    ((each, group),) = recognised(files)
    return each.read(group, ReadOptions(**options))


def file_of(content: str | bytes | object, name: str) -> InputFile:
    """Return a file of a text, of bytes, or of what is written as JSON."""
    if not isinstance(content, str | bytes):
        content = json.dumps(content)
    data = content.encode() if isinstance(content, str) else content
    return opened_file(data, name, name)


def codes(inventory: Inventory) -> set[str]:
    """Return the codes of all findings."""
    return {each.code for each in inventory.findings}
