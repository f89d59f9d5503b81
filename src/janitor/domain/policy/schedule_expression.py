"""Reading the expression of a schedule, by the rules of EventBridge Scheduler.

Refused is what can never be one. What only AWS can know (a thirtieth of February) passes.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

from janitor.domain.errors import ConfigurationError
from janitor.domain.lease.deadlines import shown

EXAMPLES = "for instance rate(1 hour), rate(30 minutes) or cron(0 6-18 ? * MON-FRI *)"

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_RATE = re.compile(r"rate\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\)")
_CRON = re.compile(r"cron\((.*)\)")
_NUMBER = re.compile(r"[0-9]{1,4}")


class _Field(Struct, frozen=True):
    """One of the six fields of a cron expression."""

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()
    """Words for the numbers from `least` on."""
    special: str = r"(?!)"
    """What this field takes besides numbers, as a pattern."""

    def problem(self, text: str) -> str:
        """Return what is wrong with the field's text, or nothing."""
        for part in text.split(","):
            if part != "*" and not re.fullmatch(self.special, part) and not self._is_range(part):
                words = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
                return f"{self.name} is {shown(part)}, and must be {self.least}-{self.most}{words}"
        return ""

    def _is_range(self, part: str) -> bool:
        """Tell whether it is a number, a range of two, or either with a step: `5`, `*/15`, `6-18`."""
        span, slash, step = part.partition("/")
        if slash and not (_NUMBER.fullmatch(step) and int(step)):
            return False
        return (bool(slash) and span == "*") or all(map(self._is_value, span.split("-", 1)))

    def _is_value(self, word: str) -> bool:
        if word in self.names:
            return True
        return bool(_NUMBER.fullmatch(word)) and self.least <= int(word) <= self.most


_FIELDS = (
    _Field("minutes", 0, 59),
    _Field("hours", 0, 23),
    _Field("day-of-month", 1, 31, special=r"\?|L|LW|([1-9]|[12][0-9]|3[01])W"),
    _Field("month", 1, 12, _MONTHS),
    _Field("day-of-week", 1, 7, _DAYS, rf"\?|L|([1-7]|{'|'.join(_DAYS)})(L|#[1-5])"),
    _Field("year", 1970, 2199),
)


def check_schedule(parameter: str, expression: str) -> None:
    """Raise `ConfigurationError` naming the parameter if this can be no schedule for sweeps."""
    if problems := "; ".join(_problems(expression)):
        raise ConfigurationError(f"{parameter}: {shown(expression)}: {problems}; {EXAMPLES}")


def _problems(expression: str) -> Iterator[str]:
    if _RATE.fullmatch(expression):
        return
    cron = _CRON.fullmatch(expression)
    if cron is None:
        yield "is neither a rate nor a cron expression"
        return
    texts = cron[1].split(" ")
    if len(texts) != len(_FIELDS):
        yield f"has {len(texts)} fields, and cron takes {len(_FIELDS)}"
        return
    for one, text in zip(_FIELDS, texts, strict=True):
        if problem := one.problem(text):
            yield problem
    if (texts[2] == "?") is (texts[4] == "?"):
        yield "one of day-of-month and day-of-week, and only one, must be ?"
