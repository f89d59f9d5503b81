"""The extension page in a real browser: on phone and desk, dark and light, by mouse and keyboard."""

from pathlib import Path

import pytest
from playwright.sync_api import Page
from tests.browser.browsing import DESK, PHONE, come_to, press, violations
from tests.browser.conftest import Opener
from tests.browser.site import HOSTILE, NOW, OFFERED, STATES, Site, served

from janitor.domain.lease.notice_history import LET_GO as BY_OWNER
from janitor.domain.model import LeaseState
from janitor.domain.notification.signed_links import LET_GO

IMAGES = Path(__file__).resolve().parents[2] / "docs/images"
SIZES = [(PHONE, False), (PHONE, True), (DESK, False), (DESK, True)]
NARROWEST = 320
KEEP = "Keep until Fri 5 Jun 08:34 CEST"
TOO_WIDE = "() => document.documentElement.scrollWidth > window.innerWidth"
FOCUSED = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  return {name: one.innerText, kind: one.tagName, seen: parseFloat(style.outlineWidth) >= 2};
}"""
kept = pytest.mark.parametrize("width, dark", SIZES)


def tab_to(page: Page, kind: str, name: str = "") -> None:
    """Press Tab until something has the focus, and see that everything on the way shows it."""
    for _ in range(20):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUSED)
        assert focus["seen"], focus
        if focus["kind"] == kind and focus["name"].startswith(name):
            return
    pytest.fail(f"no {kind} {name!r} is reached by Tab")


def head_of(page: Page) -> str:
    """Return the title on the page."""
    return page.get_by_role("heading", level=1).inner_text()


@pytest.mark.parametrize("width, dark", [(PHONE, False), (DESK, True)])
def test_axe_finds_nothing_in_any_state(opened: Opener, width: int, dark: bool) -> None:
    """Nor is anything too wide for 320 px, refused by the policy of the page, or loaded.

    Fails if `--soft` in style.css is #8b949e, by its contrast.
    """
    page = opened(width, dark=dark)
    found: dict[str, object] = {}
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
    for name, state in STATES.items():
        with served(state.site()) as site:
            said.clear()
            status = come_to(page, site, state)
            # A page that is refused on purpose is an error to the console, and only that.
            loud = [text for text in said if not (status >= 400 and "status of" in text)]
            page.set_viewport_size({"width": NARROWEST if width == PHONE else width, "height": 700})
            wrong = (
                violations(page),
                loud,
                page.evaluate(TOO_WIDE),
                status == state.status,
                head_of(page) == state.title,
                page.locator("header p").count(),
            )
            if wrong != ([], [], False, True, True, 2):
                found[name] = wrong
    assert found == {}


def test_axe_would_find_something(opened: Opener, site: Site) -> None:
    """The test above looks at more than an empty page."""
    page = opened(PHONE)
    page.goto(site.link())
    page.evaluate("() => document.querySelector('label').remove()")
    assert any(one.startswith("label:") for one in violations(page))


@kept
def test_one_tap_keeps_a_stack(opened: Opener, site: Site, width: int, dark: bool) -> None:
    """No scrolling: the buttons are on the first screen, each as large as a thumb."""
    page = opened(width, dark=dark)
    page.goto(site.link())
    button = page.get_by_role("button", name=KEEP)
    box = button.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    assert box["y"] + box["height"] <= 740
    press(page, button, by_finger=width == PHONE)
    assert head_of(page) == "feat-basket is kept"
    assert page.get_by_role("status").inner_text() == (
        "feat-basket now ends Fri 5 Jun 2026 08:34 CEST (in 3 days 23 hours)."
    )
    assert site.now.expires_at is not None
    assert site.now.expires_at.isoformat() == OFFERED


@kept
def test_the_keyboard_alone_keeps_a_stack_and_says_why(
    opened: Opener, site: Site, width: int, dark: bool
) -> None:
    """The reason comes first here, so Tab goes backwards too; Enter in it sends nothing."""
    page = opened(width, dark=dark)
    page.goto(site.link())
    tab_to(page, "TEXTAREA")
    page.keyboard.type("shown to the board")
    page.keyboard.press("Enter")
    page.keyboard.type("on Friday")
    assert site.now.generation == 1
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(FOCUSED)["name"].startswith(KEEP)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert head_of(page) == "feat-basket is kept"
    (event,) = site.ledger.chain(site.now.stack_id)
    assert event.body["reason"]["sentence"] == "shown to the board on Friday"


def test_it_works_with_scripts_switched_off(opened: Opener, site: Site) -> None:
    """There are none."""
    page = opened(PHONE, scripts=False)
    page.goto(site.link())
    press(page, page.get_by_role("button", name=KEEP))
    assert head_of(page) == "feat-basket is kept"


@kept
def test_a_stack_is_let_go_by_mouse(opened: Opener, site: Site, width: int, dark: bool) -> None:
    """Apart from the buttons that keep it, and only with its name."""
    page = opened(width, dark=dark)
    page.goto(site.link())
    assert not page.get_by_label("Type the stack's name to confirm").is_visible()
    page.get_by_text("Let it go now").click()
    let_go = page.get_by_role("button", name="Let feat-basket go")
    let_go.click()
    assert site.now.generation == 1, "the browser itself asks for the name"
    page.get_by_label("Type the stack's name to confirm").fill("feat-bakset")
    press(page, let_go)
    assert page.get_by_role("alert").inner_text() == (
        "Nothing was changed: to let it go, type its name exactly: feat-basket"
    )
    assert site.now.generation == 1
    page.get_by_label("Type the stack's name to confirm").fill("feat-basket")
    press(page, let_go)
    assert head_of(page) == "feat-basket is let go"
    assert (site.now.state, site.now.expires_at) == (LeaseState.ACTIVE, NOW)
    assert site.now.deadline_source == BY_OWNER


def test_a_stack_is_let_go_and_taken_back_by_keyboard(opened: Opener, site: Site) -> None:
    """Through four pages, without a mouse."""
    page = opened(DESK)
    page.goto(site.link())
    tab_to(page, "SUMMARY", "Let it go now")
    page.keyboard.press("Enter")
    tab_to(page, "INPUT")
    page.keyboard.type("feat-basket")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert head_of(page) == "feat-basket is let go"
    tab_to(page, "A", "Keep it after all")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert head_of(page) == "feat-basket was let go"
    tab_to(page, "BUTTON", "Keep until Mon 8 Jun")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert head_of(page) == "feat-basket is kept"
    assert [event.action for event in site.ledger.chain(site.now.stack_id)] == [
        "lease.let_go",
        "lease.extended",
    ]


def test_a_screen_reader_is_told_all_of_it_in_order(opened: Opener, site: Site) -> None:
    """Title, what happens, the choices with their dates, the reason; each by name."""
    page = opened(PHONE)
    page.goto(site.link())
    told = page.get_by_role("main").aria_snapshot()
    order = [
        'heading "feat-basket ends in 23 hours" [level=1]',
        "It ends Tue 2 Jun 2026 08:34 CEST.",
        'heading "Keep it" [level=2]',
        'button "Keep until Wed 3 Jun 08:34 CEST 1 day longer"',
        'button "Keep until Fri 5 Jun 08:34 CEST 3 days longer"',
        'button "Keep until Tue 9 Jun 08:34 CEST 7 days longer"',
        'textbox "Why you still need it (optional, for the record)"',
        'heading "About this stack" [level=2]',
        'link "feat-basket"',
        "term: Region",
        "definition: eu-central-1",
        'link "Put the date into your calendar"',
        "Let it go now",
    ]
    places = [told.find(part) for part in order]
    assert -1 not in places, told
    assert places == sorted(places)


def test_the_page_after_a_mistake_begins_with_it(opened: Opener, site: Site) -> None:
    """What was wrong is an alert, above everything else."""
    page = opened(PHONE)
    come_to(page, site, STATES["wrong-date"])
    told = page.get_by_role("main").aria_snapshot()
    assert told.find("alert") < told.find("heading")
    assert "Nothing was changed: feat-basket can be extended until Tue 9 Jun" in told


def test_hostile_tags_are_text_and_nothing_else(opened: Opener) -> None:
    """No element of theirs, no request of theirs, no script of theirs.

    Fails if `autoescape` in extension_page/render.py is False.
    """
    page = opened(DESK)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    with served(Site(HOSTILE)) as site:
        come_to(page, site, STATES["hostile"])
        assert page.locator("script, img, iframe, object").count() == 0
        assert [one for one in asked if not one.startswith(site.address)] == []
        # Phones make links of what looks like a number, a date or an address, unless told not to.
        detecting = page.locator("meta[name=format-detection]").get_attribute("content")
        assert detecting == "telephone=no, date=no, address=no, email=no"
        links = page.locator("a").evaluate_all("all => all.map(one => one.href)")
        assert not [link for link in links if "evil" in link]
        shown = page.locator("bdi", has_text="<!channel>")
        assert shown.count() == 9
        for text in shown.all_text_contents():
            assert "<script>alert(1)</script>" in text
            assert text.isprintable()


def test_the_link_of_the_page_that_asks_leads_back(opened: Opener, site: Site) -> None:
    """To the page that keeps it, wherever the service is mounted."""
    page = opened(PHONE)
    page.goto(site.link(LET_GO))
    press(page, page.get_by_role("link", name="Keep it instead"))
    assert head_of(page) == "feat-basket ends in 23 hours"


def test_every_state_is_kept_as_a_picture() -> None:
    """`make screenshots` takes them anew; nobody forgets one, and none is left over."""
    taken = {path.stem for path in IMAGES.glob("page-*.png")}
    assert {name for name in taken if not name.endswith("-dark")} == {
        f"page-{name}-{width}" for name in STATES for width in (PHONE, DESK)
    }
    assert {name.removesuffix("-dark") for name in taken if name.endswith("-dark")} < taken
