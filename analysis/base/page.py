"""Pages of HTML that need nothing else, not even a network: templates and what they are given."""

from functools import cache
from operator import methodcaller
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from .plotting import Figure
from .wording import lasting, shown


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
