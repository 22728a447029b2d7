"""From a template of this room to the text of a page."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from econet.report import numbers
from econet.report.charts.svg import typeset


def rendered(template: str, **content: Any) -> str:
    """The page; whatever is not Markup is escaped, and a name that is missing raises.

    Filters beside Jinja's own: `typeset` for figures, `name` for class and file names from outside.
    """
    environment = Environment(
        loader=PackageLoader("econet.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["typeset"] = typeset
    environment.filters["name"] = _name
    return environment.get_template(template).render(content)


def _name(text: str, limit: int = 60) -> Markup:
    """A class or file name from outside: escaped, its direction kept from spilling over, cut."""
    return Markup("<bdi>{}</bdi>").format(numbers.shown(text, limit))
