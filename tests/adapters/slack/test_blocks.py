"""Digests in Block Kit: what is read first, what can be pressed, and nothing that misleads."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.slack_server import _parsed, _strings, what_is_wrong

from janitor.adapters.slack.blocks import MOST, blocks_of, escaped, summary_of
from janitor.domain.errors import BadLink
from janitor.domain.notification.digest import Choice, Entry, Wording
from janitor.domain.notification.signed_buttons import read_button
from janitor.domain.stack.console_links import console_page

STACK = "arn:aws:cloudformation:eu-central-1:123456789012:stack/feat-basket/0a1b"
WEDNESDAY = datetime(2026, 6, 3, 6, 34, 12, tzinfo=UTC)
ENTRY = Entry(
    stage="24h",
    name="feat-basket",
    region="eu-central-1",
    stack_id=STACK,
    fate="Expires Tue 2 Jun 2026 08:34 CEST (in 23 hours); then it is marked for deletion.",
    lines=("Why: tag janitor:ttl=4d; created Fri 29 May 2026 09:34 CEST (3 days ago).",),
    facts=(("branch", "new-basket"), ("resources", "3"), ("monthly cost", "unknown")),
    choices=(
        Choice("Keep 1 day, until Wed 3 Jun 08:34 CEST", WEDNESDAY),
        Choice("Keep 3 days, until Fri 5 Jun 08:34 CEST", WEDNESDAY + timedelta(days=2)),
    ),
    link="https://janitor.example/extend/t.o-k.en",
    token="signed",
)
WORDS = Wording(
    "[janitor] feat-basket expires in 23 hours", "To ana@example.com:", (ENTRY,), "Foot"
)
HOSTILE = (
    "<!channel> <@U12345678> <https://evil.example|aws.amazon.com> & *bold* _it_ `code` ~no~"
    " &lt;!here&gt; :tada: @everyone #general\u202e\u200b" + "x" * 256
)


def kinds(blocks: list[dict[str, Any]]) -> list[str]:
    """Return the types of blocks."""
    return [block["type"] for block in blocks]


def buttons(entry: Entry) -> dict[str, dict[str, Any]]:
    """Return the buttons of an entry by their labels."""
    blocks = blocks_of(replace(WORDS, entries=(entry,)))
    return {
        element["text"]["text"]: element
        for block in blocks
        if block["type"] == "actions"
        for element in block["elements"]
    }


def test_a_stack_is_shown_with_its_fate_first_and_bold() -> None:
    """Name, linking to its console page; region; what will happen; then why, and the facts."""
    blocks = blocks_of(WORDS)
    assert what_is_wrong(blocks) == ""
    assert kinds(blocks) == ["rich_text", "divider", "rich_text", "context", "actions", "context"]
    (told,) = blocks[2]["elements"]
    assert told["elements"] == [
        {
            "type": "link",
            "url": console_page(STACK),
            "text": "feat-basket",
            "style": {"bold": True},
        },
        {"type": "text", "text": "  eu-central-1\n"},
        {"type": "text", "text": f"{ENTRY.fate}\n", "style": {"bold": True}},
        {"type": "text", "text": ENTRY.lines[0]},
    ]
    facts = "branch: new-basket; resources: 3; monthly cost: unknown"
    assert blocks[3]["elements"] == [{"type": "plain_text", "text": facts, "emoji": False}]
    assert blocks[5]["elements"][0]["text"] == "Foot"


def test_every_way_out_has_a_button_and_letting_go_asks_first() -> None:
    """Keep, choose, let go; each of them says for whom, to whoever cannot see the message."""
    found = buttons(ENTRY)
    assert list(found) == [
        "Keep 1 day, until Wed 3 Jun 08:34 CEST",
        "Keep 3 days, until Fri 5 Jun 08:34 CEST",
        "Choose…",
        "Let it go",
    ]
    keep, _, choose, let_go = found.values()
    assert read_button(keep["value"]) == ("signed", WEDNESDAY)
    assert keep["accessibility_label"] == "Keep 1 day, until Wed 3 Jun 08:34 CEST: feat-basket"
    assert choose["url"] == ENTRY.link
    assert "value" not in choose
    assert read_button(let_go["value"]) == ("signed", None)
    assert let_go["confirm"]["title"]["text"] == "Let feat-basket go?"
    assert let_go["confirm"]["text"]["text"].startswith("Its lease ends now. A final notice")


def test_without_a_token_only_the_page_is_offered() -> None:
    """As in a channel that a tag names: whoever is there is not thereby an owner."""
    assert list(buttons(replace(ENTRY, token=""))) == ["Choose…"]


def test_what_is_past_its_deadline_goes_by_itself() -> None:
    """So there is nothing to let go."""
    assert "Let it go" not in buttons(replace(ENTRY, stage="final"))


def test_a_token_too_long_for_a_button_leaves_the_link() -> None:
    """A tag may hold 256 letters that each take six characters."""
    assert list(buttons(replace(ENTRY, token="t" * 1_990))) == ["Choose…"]
    assert len(buttons(replace(ENTRY, token="t" * 1_900))) == 4


def test_a_stack_with_nothing_to_press_has_no_empty_row() -> None:
    """Slack takes no actions without elements."""
    bare = Entry("settled", "feat-basket", "eu-central-1", STACK, fate="It has been deleted.")
    assert kinds(blocks_of(Wording("s", "g", (bare,)))) == ["rich_text", "divider", "rich_text"]


@pytest.mark.parametrize("count", [1, MOST, MOST + 1, 60])
def test_any_number_of_stacks_keeps_within_fifty_blocks(count: int) -> None:
    """All with everything in them; what has too many comes without buttons, but with links."""
    blocks = blocks_of(replace(WORDS, entries=(ENTRY,) * count))
    assert what_is_wrong(blocks) == ""
    assert len(blocks) <= 50
    assert "\n".join(_strings(blocks)).count("feat-basket") >= count
    if count == MOST:
        assert len(blocks) == 50
    if count > MOST:
        assert str(blocks).count(ENTRY.link) == count


def test_hostile_text_stands_where_slack_parses_nothing() -> None:
    """No mention, no link and no markup comes out of a tag, and nothing is longer than allowed.

    Fails if `_text` makes mrkdwn objects, or `summary_of` does not call `escaped`.
    """
    hostile = replace(
        ENTRY,
        name=HOSTILE,
        stack_id="",
        fate=HOSTILE,
        lines=(HOSTILE,) * 3,
        facts=((HOSTILE, HOSTILE),) * 3,
    )
    for words in (
        Wording(HOSTILE, HOSTILE, (hostile,) * MOST, HOSTILE),
        Wording(HOSTILE, HOSTILE, (hostile,) * 50, HOSTILE),
    ):
        blocks = blocks_of(words)
        assert what_is_wrong(blocks) == ""
        assert list(_parsed(blocks)) == []
        assert "<" not in summary_of(words)
        assert len(summary_of(words)) < 4_000


@given(st.text(max_size=400), st.text(min_size=1, max_size=400))
def test_any_text_makes_blocks_that_slack_takes(greeting: str, text: str) -> None:
    """Whatever comes in from elsewhere."""
    entry = replace(ENTRY, fate=text, lines=(text, text), facts=((text, text),), name=text)
    words = Wording(text, f"To {greeting}", (entry, replace(entry, stack_id="")))
    assert what_is_wrong(blocks_of(words)) == ""
    assert what_is_wrong(blocks_of(words, compact=True)) == ""


def test_the_summary_says_the_fate_of_each_stack() -> None:
    """It is what a telephone shows, and what a screen reader reads."""
    assert summary_of(WORDS) == (
        "feat-basket expires in 23 hours\n"
        "feat-basket (eu-central-1): Expires Tue 2 Jun 2026 08:34 CEST (in 23 hours); then it is"
        " marked for deletion."
    )
    assert escaped("<!channel> & co") == "&lt;!channel&gt; &amp; co"


def test_a_bare_entry_makes_no_empty_text() -> None:
    """Slack would refuse the whole message for it."""
    words = Wording("Weekly digest", "To the operators:", (Entry("digest", "Kept"),))
    assert what_is_wrong(blocks_of(words)) == ""
    assert what_is_wrong(blocks_of(words, compact=True)) == ""


@pytest.mark.parametrize(
    "value",
    ["", "token", "token ", "token keep", "token 2026-06-03", "token 2026-06-03T06:34:12",
     "token 9999-99-99T00:00:00Z", "token 9999-12-31T23:59:59-12:00"],
)  # fmt: skip
def test_a_value_that_no_button_of_ours_has_is_refused(value: str) -> None:
    """An instant without a zone, too."""
    with pytest.raises(BadLink, match="not one of ours"):
        read_button(value)
