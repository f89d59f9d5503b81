"""How much is kept of what AWS says of a failure."""

LONGEST = 1_000
"""Characters of one reason. AWS's own are far shorter; a custom resource says what it likes."""

END = 300
"""Of them from its end, where the codes stand: `(RequestToken: …, HandlerErrorCode: …)`."""

_CUT = " ... "


def capped(reason: str) -> str:
    """Return a reason, or the beginning and the end of one that is too long."""
    if len(reason) <= LONGEST:
        return reason
    return f"{reason[: LONGEST - END - len(_CUT)]}{_CUT}{reason[-END:]}"
