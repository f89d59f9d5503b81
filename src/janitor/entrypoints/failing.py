"""One line in the log for what failed, and a traceback where that is a bug."""

import logging

from janitor.core.contacts import clean
from janitor.core.errors import JanitorError
from janitor.core.failures import bug_text


def log_failure(log: logging.Logger, event: str, error: Exception) -> None:
    """Log why a request could not be answered."""
    if isinstance(error, JanitorError):
        log.error(event, extra={"detail": clean(str(error))})
    else:
        log.error(event, extra={"detail": bug_text(error)}, exc_info=error)
