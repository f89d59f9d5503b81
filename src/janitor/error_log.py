"""One line in the log for what failed, and a traceback where that is a bug."""

import logging

from janitor.domain.errors import JanitorError
from janitor.domain.failures import bug_text
from janitor.domain.lease.owners import clean


def log_failure(log: logging.Logger, event: str, error: Exception) -> None:
    """Log why a request could not be answered."""
    if isinstance(error, JanitorError):
        log.error(event, extra={"detail": clean(str(error))})
    else:
        log.error(event, extra={"detail": bug_text(error)}, exc_info=error)
