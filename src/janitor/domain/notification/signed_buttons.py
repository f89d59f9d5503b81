"""What a button in a chat carries: the signed token of its stack, and what it is to do."""

from datetime import UTC, datetime

from janitor.domain.errors import BadLink

_LET_GO = "let-go"


def button_value(token: str, until: datetime | None) -> str:
    """Return the value of the button that keeps the stack `until` then, or lets it go."""
    return f"{token} {_LET_GO if until is None else until.isoformat()}"


def read_button(value: str) -> tuple[str, datetime | None]:
    """Return the token, not verified yet, and the deadline wished for; None lets it go.

    Raises `BadLink` for what no button of ours carries.
    """
    token, _, wish = value.partition(" ")
    if wish == _LET_GO:
        return token, None
    try:
        until = datetime.fromisoformat(wish)
        if until.tzinfo is not None:
            return token, until.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadLink("this button is not one of ours") from error
    raise BadLink("this button is not one of ours")
