"""The pages that owners see: Jinja templates, everything escaped, one stylesheet inlined."""

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from janitor.core.contacts import clean
from janitor.core.times import instant_text, relative_text, span_text


def render(template: str, **values: object) -> str:
    """Return the page `template`.html with `values` in their places."""
    return environment().get_template(f"{template}.html").render(style=Markup(_style()), **values)  # noqa: S704 - our own file


@cache
def style_source() -> str:
    """Return the stylesheet as a Content-Security-Policy names it: by its hash."""
    digest = hashlib.sha256(_style().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _style() -> str:
    return Path(__file__).with_name("style.css").read_text(encoding="utf-8")


@cache
def environment() -> Environment:
    """Return what all pages are rendered by: everything escaped, and nothing left out."""
    made = Environment(
        loader=PackageLoader("janitor", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        clean=clean,
        instant_text=instant_text,
        relative_text=relative_text,
        span_text=span_text,
    )
    return made
