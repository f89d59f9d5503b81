"""One browser for all of these tests, and for each a page that nothing was done in before."""

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page
from tests.browser.browsing import HOW_TO_GET_IT, browser_at, chromium, open_page
from tests.browser.site import Site, served

Opener = Callable[..., Page]
Server = Callable[[Site], Site]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Run Chromium. Without one, people are told how to get it, and CI fails."""
    executable = chromium()
    if not executable and os.environ.get("CI"):
        pytest.fail(HOW_TO_GET_IT)
    if not executable:
        pytest.skip(HOW_TO_GET_IT)
    with browser_at(executable) as running:
        yield running


@pytest.fixture
def opened(browser: Browser) -> Iterator[Opener]:
    """Return how to open pages; all of them are closed afterwards."""
    pages: list[Page] = []

    def open_one(*size: int, dark: bool = False, scripts: bool = True) -> Page:
        pages.append(open_page(browser, *size, dark=dark, scripts=scripts))
        return pages[-1]

    yield open_one
    for page in pages:
        page.context.close()


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve the page of one stack that ends tomorrow."""
    with served(Site()) as one:
        yield one
