"""What becomes of an error that befell one item: kept as its outcome, a bug told from the rest."""

from janitor.domain.errors import JanitorError
from janitor.domain.lease.owners import clean
from janitor.domain.model import Outcome, Status

LONGEST = 300


def failed(key: str, action: str, error: Exception, said: str = "{}") -> Outcome:
    """Return the outcome of an item that failed; `said` has a place for what the error says.

    An error that is none of ours is a bug, and travels along for whoever shows tracebacks.
    """
    is_ours = isinstance(error, JanitorError)
    text = (str(error) or type(error).__name__) if is_ours else bug_text(error)
    bug = None if is_ours else error
    return Outcome(key, action, Status.FAILED, said.format(text), bug=bug)


def bug_text(error: Exception) -> str:
    """Say in one line that the janitor is wrong, and how."""
    text = f"a bug in janitor: {type(error).__name__}: {clean(str(error))}"
    return text.rstrip(": ")[:LONGEST]
