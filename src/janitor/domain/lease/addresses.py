"""What an address looks like, and how it is found inside whatever stands around it.

The text comes from tags and is hostile: each step is linear in it. It has gone through
`contacts.clean`. Half of an address is somebody else's address, so that a word which is not
understood as a whole is none.
"""

import re
import unicodedata
from collections.abc import Iterator

from msgspec import Struct

from janitor.domain.model import Contact, ContactKind

_LETTER = r"[0-9A-Za-z\u0080-\U0010ffff]"
"""Of ASCII letters and digits alone; of all other scripts anything, marks above all."""
_ATOM = rf"(?:{_LETTER}|[_%+&'~-])++"
_LABEL = rf"{_LETTER}++(?:-++{_LETTER}++)*+"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*+@{_LABEL}(?:\.{_LABEL})++(?![\w@.-])")
_USER_ID = re.compile(r"[UW](?=[A-Z]*[0-9])[A-Z0-9]{8,20}")
_CHANNEL_ID = re.compile(r"[CG](?=[A-Z]*[0-9])[A-Z0-9]{8,20}")
_CHANNEL_NAME = re.compile(r"#[\w-]{1,80}")
_LIKE_AN_ID = re.compile(r"[@#]?([UWCG][A-Z]{8,20})")
_COMPLETE = re.compile(rf".*@{_LABEL}(?:\.{_LABEL})++")
_APART = re.compile(r"([+&])")
_BREAKS = re.compile(
    r"[\s,;:/()<>\[\]{}|=`*?\\\""
    "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"
    "\N{DOUBLE LOW-9 QUOTATION MARK}\N{SINGLE LOW-9 QUOTATION MARK}"
    "\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}"
    "\N{EN DASH}\N{EM DASH}\N{HORIZONTAL ELLIPSIS}\N{BULLET}\N{MIDDLE DOT}"
    "\N{FULLWIDTH COMMA}\N{FULLWIDTH SEMICOLON}\N{FULLWIDTH COLON}\N{IDEOGRAPHIC COMMA}]+"
)
_CORE = re.compile(r"[\W_]*+(.*[^\W_])?", re.DOTALL)
_WORDS_APART = re.compile(r"[\s,;:/+|]+")
_NOTHING = frozenset(
    {"", "unknown", "na", "none", "tbd", "tba", "null", "nil", "todo", "nobody", "x"}
    | {"noone", "no one", "no owner", "undefined", "unset", "not set", "unassigned"}
    | {"not applicable"}
)
"""What is written where nobody knew an owner; so is what has no letter and no digit."""


class Word(Struct, frozen=True):
    """A part of a tag between two separators, and the address it is, if it is one."""

    text: str
    address: Contact | None

    @property
    def is_meant(self) -> bool:
        """Tell whether it is to be an address, and is none that anybody could reach."""
        text = self.text
        is_like_one = "@" in text or (text[0] == "#" and _has_letter(text))
        return is_like_one and not says_nothing(text)


def is_user_id(text: str) -> bool:
    """Tell whether this is the id of a Slack user: capitals alone prove nothing."""
    return _USER_ID.fullmatch(text) is not None


def is_channel(text: str) -> bool:
    """Tell whether this is a Slack channel: its id, or `#` and its name, which has no capitals."""
    if _CHANNEL_NAME.fullmatch(text):
        return text == text.lower() and any(map(str.isalnum, text))
    return _CHANNEL_ID.fullmatch(text) is not None


def like_an_id(name: str) -> str:
    """Return the id that a name could be, for want of a digit only Slack knows; or nothing."""
    match = _LIKE_AN_ID.fullmatch(name)
    return match[1] if match else ""


def says_nothing(text: str) -> bool:
    """Tell whether this is a placeholder: `unknown`, `N/A`, `-`, or several of them."""
    if is_channel(text):  # whatever it is called
        return False
    text = text.casefold().replace("n/a", "na")
    return _core(text) in _NOTHING or all(
        _core(word) in _NOTHING for word in _WORDS_APART.split(text)
    )


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))


def _core(text: str) -> str:
    match = _CORE.match(text)
    return match[1] or "" if match else ""


def words_of(entry: str) -> tuple[Word, ...]:
    """Return the words in a text, each with the address it is.

    They end at blanks, commas, semicolons, colons, slashes, quotes and brackets of any kind,
    and at a plus that follows a complete address. In an ARN and in the address of a page
    elsewhere only e-mail addresses count: `role/CI2024ADMIN` is no channel.
    """
    found: list[Word] = []
    for chunk in entry.split():
        is_opaque = "arn:" in chunk or ("://" in chunk and "slack.com/" not in chunk)
        for part in _BREAKS.split(chunk):
            texts = filter(None, map(_trimmed, _apart(part)))
            found += (Word(text, _address(text, is_opaque=is_opaque)) for text in texts)
    return tuple(found)


def _apart(part: str) -> Iterator[str]:
    """Cut at each plus, or `&`, before which an address is complete: `ada+dev@x.org` is one."""
    pieces = _APART.split(part)
    held = pieces[:1]
    for sign, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        if _COMPLETE.fullmatch(held[-1]) or (len(held) == 1 and _of_slack(held[0])):
            yield "".join(held)
            held = [piece]
        else:
            held += [sign, piece]
    yield "".join(held)


def _trimmed(text: str) -> str:
    """Take away the punctuation around a word; what may begin an address stays."""
    start, end = 0, len(text)
    while start < end and not (text[start].isalnum() or text[start] in "_#@"):
        start += 1
    while start < end and not (text[end - 1].isalnum() or _is_mark(text[end - 1])):
        end -= 1
    return text[start:end]


def _is_mark(letter: str) -> bool:
    return letter == "_" or unicodedata.category(letter)[0] == "M"


def _address(text: str, *, is_opaque: bool) -> Contact | None:
    text = text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    email = _EMAIL.match(text)
    if email and not email[0].rpartition(".")[2].isdigit():
        return Contact(ContactKind.EMAIL, email[0].lower())
    return None if is_opaque else _of_slack(text)


def _of_slack(text: str) -> Contact | None:
    bare = text.lstrip("@#")
    if is_user_id(bare):
        return Contact(ContactKind.SLACK_USER, bare)
    if is_channel(bare):
        return Contact(ContactKind.SLACK_CHANNEL, bare)
    # `#42` among other words is more likely a ticket.
    if is_channel(text) and _has_letter(text):
        return Contact(ContactKind.SLACK_CHANNEL, text)
    return None
