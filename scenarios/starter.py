"""The scenario that ``farmsim init`` writes."""

from importlib.resources import files
from pathlib import Path

from .problems import refuse
from .schema import schema_text

SCHEMA_FILE = "farmsim.schema.json"
MODELINE = f"# yaml-language-server: $schema=./{SCHEMA_FILE}\n"


def write_starter(path: Path, force: bool) -> list[Path]:
    """Write a commented scenario and the schema beside it; return what was written.

    Raises InputError if a file is in the way and ``force`` is not set.
    """
    if path.suffix not in (".yaml", ".yml"):
        raise refuse(str(path), "does not end in .yaml; name a YAML file")
    if not path.parent.is_dir():
        raise refuse(str(path.parent), "is no folder; make it first")
    if path.exists() and not force:
        raise refuse(str(path), "exists; choose another name or --force")
    source = files(__package__ or "farmsim.scenarios") / "library" / "first-steps.yaml"
    schema = path.parent / SCHEMA_FILE
    path.write_text(MODELINE + source.read_text("utf-8"), "utf-8")
    schema.write_text(schema_text() + "\n", "utf-8")
    return [path, schema]
