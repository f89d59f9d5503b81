"""A digest as Slack's Block Kit: what is read first, and what can be pressed.

Whatever may come from a tag stands in elements that Slack does not parse: rich text and
plain text. So no mention, no markup and no link can come out of it, and nothing there has
to be escaped. The one text that Slack parses is that of notifications and threads.
"""

from typing import Any

from janitor.domain.model import FINAL
from janitor.domain.notification.digest import Entry, Wording, without_links
from janitor.domain.notification.signed_buttons import button_value
from janitor.domain.stack.console_links import console_page

Block = dict[str, Any]

MOST_BLOCKS = 50
MOST = 12
"""Stacks in one message: four blocks each, with greeting and foot."""
LONGEST_LABEL = 75
LONGEST_VALUE = 2_000
LONGEST_URL = 3_000
LONGEST_CONFIRMATION = 300
LONGEST_TITLE = 100
LONGEST_TEXT = 3_000
"""Slack cuts a text at 40,000 characters, but refuses some from 4,000 on."""

_LONGEST_LINE = 600
_LONGEST_COMPACT_LINE = 300
_LONGEST_COMPACT = 6_000


def blocks_of(words: Wording, *, compact: bool = False) -> list[Block]:
    """Lay out a digest.

    `compact` is for what is too long otherwise, by a limit that Slack does not document:
    it has every stack with its fate and its link, and no buttons.
    """
    if compact or len(words.entries) > MOST:
        return [_rich_text([_text(words.greeting)], *_compact(words.entries)), *_foot(words)]
    blocks = [_rich_text([_text(words.greeting)])]
    for entry in words.entries:
        blocks += [{"type": "divider"}, _rich_text(_told(entry))]
        facts = "; ".join(f"{name}: {value}" for name, value in entry.facts)
        if facts:
            blocks.append({"type": "context", "elements": [_plain(facts, _LONGEST_LINE)]})
        if buttons := _buttons(entry):
            blocks.append({"type": "actions", "elements": buttons})
    return [*blocks, *_foot(words)]


def summary_of(words: Wording) -> str:
    """Return the text that notifications show and screen readers read."""
    lines = [words.subject.removeprefix("[janitor] ")]
    for entry in words.entries:
        where = f" ({entry.region})" if entry.region else ""
        lines.append(f"{entry.name}{where}: {_cut(entry.fate, _LONGEST_COMPACT_LINE)}")
    return escaped(_cut(without_links("\n".join(lines)), LONGEST_TEXT))


def escaped(text: str) -> str:
    """Return `text` so that Slack finds no mention and no link in it.

    Slack makes links of addresses by itself: https://docs.slack.dev/messaging/formatting-message-text
    """
    return without_links(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _told(entry: Entry) -> list[Block]:
    """Say which stack it is and what will happen to it, and then why."""
    run = (f"{one.why} {one.line}" for one in entry.commands)
    rest = [_cut(line, _LONGEST_LINE) for line in (*entry.lines, *run) if line]
    return [
        *_name(entry),
        _text(f"{_cut(entry.fate, _LONGEST_LINE)}\n" if rest else entry.fate, bold=True),
        *([_text("\n".join(rest))] if rest else []),
    ]


def _name(entry: Entry) -> list[Block]:
    where = f"  {entry.region}\n" if entry.region else "\n"
    url = console_page(entry.stack_id)
    if not url:
        return [_text(_cut(entry.name, _LONGEST_LINE), bold=True), _text(where)]
    link = {"type": "link", "url": url, "text": entry.name, "style": {"bold": True}}
    return [link, _text(where)]


def _compact(entries: tuple[Entry, ...]) -> list[list[Block]]:
    """Say of every stack what will happen to it, in a size that Slack always takes."""
    room = min(_LONGEST_COMPACT_LINE, _LONGEST_COMPACT // max(1, len(entries)))
    sections = []
    for entry in entries:
        fate = _cut(entry.fate, room)
        section = [_text("\n"), *_name(entry), _text(fate, bold=True)]
        if entry.link:
            section += [_text("\n"), {"type": "link", "url": entry.link, "text": "Keep it…"}]
        sections.append(section)
    return sections


def _buttons(entry: Entry) -> list[Block]:
    """Offer what can be done: the page for everybody, the rest where a token allows it."""
    values = {choice: button_value(entry.token, choice.until) for choice in entry.choices}
    let_go = button_value(entry.token, None)
    acts = bool(entry.token) and max(map(len, [*values.values(), let_go])) <= LONGEST_VALUE
    buttons: list[Block] = []
    if acts:
        for number, (choice, value) in enumerate(values.items(), 1):
            spoken = f"{choice.label}: {entry.name}"
            buttons.append(_button(f"keep-{number}", choice.label, spoken, value=value))
    if entry.link and len(entry.link) <= LONGEST_URL:
        buttons.append(_button("choose", "Choose…", f"Choose for {entry.name}", url=entry.link))
    if acts and entry.stage != FINAL:  # past its deadline it goes by itself
        confirm = {
            "title": _plain(f"Let {entry.name} go?", LONGEST_TITLE),
            "text": _plain(
                "Its lease ends now. A final notice says when it is deleted; until then it can"
                " still be kept.",
                LONGEST_CONFIRMATION,
            ),
            "confirm": _plain("Let it go", LONGEST_LABEL),
            "deny": _plain("Not now", LONGEST_LABEL),
            "style": "danger",
        }
        spoken = f"Let {entry.name} go"
        more = {"value": let_go, "style": "danger", "confirm": confirm}
        buttons.append(_button("let-go", "Let it go", spoken, **more))
    return buttons


def _button(action: str, label: str, spoken: str, **more: Any) -> Block:
    return {
        "type": "button",
        "action_id": action,
        "text": _plain(label, LONGEST_LABEL),
        "accessibility_label": _cut(spoken, LONGEST_LABEL),
        **more,
    }


def _foot(words: Wording) -> list[Block]:
    if not words.foot:
        return []
    return [{"type": "context", "elements": [_plain(words.foot, _LONGEST_LINE)]}]


def _rich_text(*sections: list[Block]) -> Block:
    elements = [
        # Slack takes no empty text.
        {"type": "rich_text_section", "elements": [part for part in section if part["text"]]}
        for section in sections
    ]
    return {"type": "rich_text", "elements": elements}


def _text(text: str, *, bold: bool = False) -> Block:
    return {"type": "text", "text": text, **({"style": {"bold": True}} if bold else {})}


def _plain(text: str, longest: int) -> Block:
    return {"type": "plain_text", "text": _cut(text, longest), "emoji": False}


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
