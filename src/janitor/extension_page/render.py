"""The pages that owners see: Jinja templates, everything escaped, one stylesheet inlined."""

import base64
import hashlib
from functools import cache
from pathlib import Path

from markupsafe import Markup

from janitor.html import environment


def render(template: str, **values: object) -> str:
    """Return the page `template`.html with `values` in their places."""
    page = environment("extension_page").get_template(f"{template}.html")
    return page.render(style=Markup(_style()), **values)  # noqa: S704 - our own file


@cache
def style_source() -> str:
    """Return the stylesheet as a Content-Security-Policy names it: by its hash."""
    digest = hashlib.sha256(_style().encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _style() -> str:
    return Path(__file__).with_name("templates").joinpath("style.css").read_text(encoding="utf-8")
