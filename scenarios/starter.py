"""The scenario that ``farmsim init`` writes."""

import json
from importlib.resources import files
from pathlib import Path

from .errors.problems import refuse
from .files.atomic_replace import replace_text
from .files.destination import always, kind_at, refuse_file
from .schema import SCHEMA_ID, schema_text

SCHEMA_FILE = "farmsim.schema.json"
SCHEMA = "a schema of scenarios"
MODELINE = f"# yaml-language-server: $schema=./{SCHEMA_FILE}\n"


def write_starter(path: Path, force: bool) -> list[Path]:
    """Write a commented scenario and the schema beside it; return what was written.

    Raises InputError if a file is in the way and ``force`` is not set, or the system refuses
    to write. Links, devices and FIFOs are never written to.
    """
    if path.suffix not in {".yaml", ".yml"}:
        raise refuse(str(path), "does not end in .yaml; name a YAML file")
    if kind_at(path) == "file" and not force:
        raise refuse(str(path), "exists; choose another name or --force")
    schema = path.parent / SCHEMA_FILE
    overwrite = always if force else is_schema
    refuse_file(path, always, "a scenario")
    refuse_file(schema, overwrite, SCHEMA)
    source = files("farmsim.scenarios") / "library" / "first-steps.yaml"
    replace_text(schema, schema_text() + "\n", overwrite, SCHEMA)
    replace_text(path, MODELINE + source.read_text("utf-8"), always, "a scenario")
    return [path, schema]


def is_schema(path: Path) -> bool:
    """Whether a file is a schema that farmsim wrote, by its identity."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and data.get("$id") == SCHEMA_ID
