"""Pages of HTML that need nothing else, not even a network: templates and what they are given."""

import sys
from contextlib import suppress
from functools import cache
from hashlib import sha256
from importlib.util import cache_from_source
from operator import methodcaller
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import (
    Environment,
    FileSystemBytecodeCache,
    PackageLoader,
    StrictUndefined,
    select_autoescape,
)
from jinja2.bccache import Bucket

from .plotting import Figure
from .wording import lasting, shown

TEMPLATES = Path(__file__).parent.parent / "templates"


class CompiledTemplates(FileSystemBytecodeCache):
    """Compiled templates, kept where Python keeps the modules that it compiles.

    That is ``__pycache__`` beside them, and nowhere if Python is told to write none. What cannot be
    read or written is compiled again. ``folder`` is that of the templates.
    """

    def __init__(self, folder: Path) -> None:
        kept = Path(cache_from_source(str(folder / "page.py"))).parent
        super().__init__(str(kept), "%s.jinja")
        self._settings = jinja2.__version__.encode() + Path(__file__).read_bytes()

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """Return a name that changes with the template engine and with its settings here."""
        del filename
        return f"{name}-{sha256(self._settings).hexdigest()[:12]}"

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill a bucket with the compiled template, if it is kept and its text is the same."""
        try:
            super().load_bytecode(bucket)
        except Exception:  # whatever a file holds that was cut short
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a compiled template."""
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                Path(self.directory).mkdir(parents=True, exist_ok=True)
                super().dump_bytecode(bucket)


@cache
def _environment() -> Environment:
    """Return the templates; what is put into them is escaped.

    An undefined name is an error. The filter ``figure`` writes numbers for people, ``lasting``
    spans of time in s; arrays become lists where a figure is written as JSON.
    """
    made = Environment(
        loader=PackageLoader("farmsim.analysis", "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=CompiledTemplates(TEMPLATES),
    )
    made.filters["figure"] = shown
    made.filters["lasting"] = lasting
    made.policies["json.dumps_kwargs"] = {"default": methodcaller("tolist")}
    return made


def page(template: str, *, farmsim: str, name: str, description: str, **values: Any) -> str:
    """Return a page from one of ``analysis/templates``.

    ``farmsim`` is the version that made what is shown; ``name`` and ``description`` head the page;
    ``plotly_js`` is the library, empty where the page has no figure.

    Raises jinja2's UndefinedError if the template uses a value that is not given, and
    TemplateNotFound if there is no such template. Markup in ``values`` is escaped unless it is
    ``Markup``.
    """
    made = _environment().get_template(template)
    return made.render(farmsim=farmsim, name=name, description=description, **values)


def figure_entry(name: str, title: str, note: str, made: Figure) -> dict[str, Any]:
    """Return a figure as ``macros.html.j2`` draws it, below its title and note.

    ``name`` becomes the id of the element, so it must be unique in a page.
    """
    return {"name": name, "title": title, "note": note, **made}
