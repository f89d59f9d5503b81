"""A real browser: Debian's Chromium, driven by Playwright, that reaches nothing but this machine."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from playwright.sync_api import Browser, Locator, Page, sync_playwright
from tests.browser.site import Site, State

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW_TO_GET_IT = (
    "no Chromium here, so the tests in a real browser do not run; on Debian, as root:"
    " apt-get install --no-install-recommends chromium"
)
NOTHING_BUT_THIS_MACHINE = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
)
PHONE, DESK = 360, 1280
AXE = files("axe_playwright_python").joinpath("axe.min.js")
LOOK = """() => axe.run(
  document, {resultTypes: ["violations"], rules: {"target-size": {enabled: true}}})"""


def chromium() -> str:
    """Return where Chromium is; empty if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), "")


@contextmanager
def browser_at(executable: str) -> Iterator[Browser]:
    """Run the browser, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=[NOTHING_BUT_THIS_MACHINE]
        )
        try:
            yield browser
        finally:
            browser.close()


def open_page(
    browser: Browser, width: int = PHONE, *, dark: bool = False, scripts: bool = True
) -> Page:
    """Open an empty page that nothing was done in before."""
    context = browser.new_context(
        viewport={"width": width, "height": 740 if width < 640 else 900},
        color_scheme="dark" if dark else "light",
        has_touch=width < 640,
        reduced_motion="reduce",
        java_script_enabled=scripts,
    )
    context.set_default_timeout(10_000)
    return context.new_page()


def come_to(page: Page, site: Site, state: State) -> int:
    """Do what brings a page into a state; return the status of the answer that shows it."""
    answer = page.goto(state.link(site))
    if state.typed is not None:
        if (part := page.locator("details", has_text="Let it go now")).count():
            part.locator("summary").click()
        page.get_by_label("Type the stack's name").fill(state.typed)
    if state.press:
        button = page.get_by_role("button", name=state.press)
        if state.value:
            button.evaluate("(button, value) => { button.value = value }", state.value)
        return press(page, button)
    return answer.status if answer else 0


def press(page: Page, what: Locator, *, by_finger: bool = False) -> int:
    """Press what leads to another page, wait for that, and return the status it came with."""
    with page.expect_navigation() as navigation:
        if by_finger:
            what.tap()
        else:
            what.click()
    return navigation.value.status


def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong with a page."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate(LOOK)
    return [f"{one['id']}: {node['html']}" for one in found["violations"] for node in one["nodes"]]
