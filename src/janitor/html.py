"""Jinja, as every page is rendered: the extension page and the auditor's."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from janitor.domain.instants import instant_text, relative_text, span_text
from janitor.domain.lease.owners import clean


@cache
def environment(package: str) -> Environment:
    """Return what the pages of a package are rendered by: all is escaped, nothing left out."""
    made = Environment(
        loader=PackageLoader("janitor", f"{package}/templates"),
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
