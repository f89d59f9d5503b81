"""Another site in a real browser, with every trick that a page has, moves no deadline."""

from urllib.parse import urlsplit

import pytest
from tests.browser.browsing import press
from tests.browser.conftest import Opener
from tests.browser.site import LEASE, OFFERED, Site

from janitor.domain.notification.signed_links import EXTEND, LET_GO
from janitor.entrypoints.demo.web import serve
from janitor.extension_page.http import Request, Response

FIELDS = f'<input name="until" value="{OFFERED}"><input name="name" value="{LEASE.name}">'
SEND = "<script>document.forms[0].submit()</script>"
SILENTLY = """<script>
  const form = new URLSearchParams({{until: "{until}", name: "{name}"}});
  Promise.allSettled([
    fetch("{link}", {{method: "POST", mode: "no-cors", credentials: "include", body: form}}),
    fetch("{link}", {{mode: "no-cors", credentials: "include"}}),
  ]).then(() => {{
    navigator.sendBeacon("{link}", form);
    document.title = "done";
  }});
</script>
<img src="{link}"><iframe src="{link}"></iframe><link rel="prefetch" href="{link}">
<link rel="stylesheet" href="{link}">"""


def page_of(html: str) -> Response:
    """Return what the other site answers."""
    return Response(200, {"Content-Type": "text/html"}, f"<!doctype html>{html}".encode())


@pytest.mark.parametrize("action", [EXTEND, LET_GO])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("target", ["_self", "_blank"])
def test_our_form_replayed_from_another_site_is_refused(
    opened: Opener, site: Site, action: str, host: str, target: str
) -> None:
    """From another port (the same site to browsers) and from another name (another site).

    Fails if `not_our_form` takes `same-site`, or is not asked at all.
    """
    link = site.link(action)
    html = f'<form method="post" target="{target}" action="{link}">{FIELDS}</form>{SEND}'
    before = site.recorded
    page = opened()
    with (
        serve(lambda _: lambda _: page_of(html)) as other,
        page.context.expect_event(
            "response", lambda response: response.request.method == "POST"
        ) as answered,
    ):
        page.goto(f"http://{host}:{urlsplit(other).port}/")
    assert answered.value.status == 403
    (post,) = [request for request in site.asked if request.method == "POST"]
    assert post.header("Sec-Fetch-Site") == ("same-site" if host == "127.0.0.1" else "cross-site")
    assert site.recorded == before


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_what_another_site_sends_silently_is_refused(opened: Opener, site: Site, host: str) -> None:
    """Scripts, beacons, images, frames, prefetches: all of them arrive, and nothing moves."""
    parts = [
        SILENTLY.format(link=site.link(action), until=OFFERED, name=LEASE.name)
        for action in (EXTEND, LET_GO)
    ]
    before = site.recorded
    page = opened()

    def answer(request: Request) -> Response:
        return page_of(parts[int(request.path.strip("/") or 0)])

    with serve(lambda _: answer) as other:
        for number in range(2):
            page.goto(f"http://{host}:{urlsplit(other).port}/{number}")
            page.wait_for_function("document.title === 'done'")
            framed = [frame.url for frame in page.frames[1:]]
            assert not any(site.address in url for url in framed), "framed by another site"
    posts = [request for request in site.asked if request.method == "POST"]
    assert len(posts) >= 2
    assert len(site.asked) > len(posts)
    assert site.recorded == before


def test_a_crawler_in_a_browser_follows_every_link_and_changes_nothing(
    opened: Opener, site: Site
) -> None:
    """As link previews that run a browser do: all is looked at, and nothing submitted."""
    before = site.recorded
    page = opened()
    waiting, seen = [site.link(), site.link(LET_GO)], set[str]()
    while waiting:
        link = waiting.pop()
        if link in seen or not link.startswith(f"{site.address}/"):
            continue
        seen.add(link)
        if link.endswith(".ics"):
            assert page.request.get(link).ok
            continue
        page.goto(link)
        page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
        waiting += page.locator("a").evaluate_all("all => all.map(one => one.href)")
    assert len(seen) == 3
    assert site.recorded == before


def test_a_page_that_was_left_open_does_nothing_twice(opened: Opener, site: Site) -> None:
    """In another tab, or by going back: the link is used up, and the page says what holds."""
    page, left = opened(), opened()
    for one in (page, left):
        one.goto(site.link())
    press(page, page.get_by_role("button", name="Keep until Fri 5 Jun"))
    once = site.recorded
    press(left, left.get_by_role("button", name="Keep until Tue 9 Jun"))
    page.go_back()
    for one in (page, left):
        assert one.get_by_role("heading", level=1).inner_text() == "Already extended"
        assert "already extended to Fri 5 Jun 2026 08:34 CEST." in one.content()
    assert site.recorded == once
