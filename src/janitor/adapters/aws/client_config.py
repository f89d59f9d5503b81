"""How every AWS client is set up."""

from datetime import UTC, datetime
from typing import Any

from botocore.config import Config
from botocore.parsers import DEFAULT_TIMESTAMP_PARSER
from botocore.session import Session

from janitor import __version__
from janitor.adapters.thread_pool import MOST_AT_ONCE

CLIENT_CONFIG = Config(
    retries={"mode": "adaptive", "total_max_attempts": 8},
    connect_timeout=5,
    read_timeout=30,
    # With fewer of them than threads, connections are thrown away and made again.
    max_pool_connections=MOST_AT_ONCE,
    # AWS does it anyway, and it is a third of what a transaction costs here.
    parameter_validation=False,
    # For whoever reads CloudTrail; and botocore puts its own together twice in every call.
    user_agent=f"janitor/{__version__} boto3",
)
"""Throttling is normal when listing: slow down with it, and do not give up early."""
BRIEF_RETRIES: Any = {"mode": "adaptive", "total_max_attempts": 5}
"""Waits of 15 s at most, so that every function lives to say what failed (the page has 20 s).

A queue, the schedule and the person at the page try again later, and with more patience.
"""


def config_of(service: str) -> Config:
    """Return the settings of a service's clients."""
    if service == "cloudformation":
        return CLIENT_CONFIG
    return CLIENT_CONFIG.merge(Config(retries=BRIEF_RETRIES))


def read_timestamp(value: Any) -> Any:
    """Return a timestamp of an AWS answer as an instant in UTC.

    One that cannot be read comes back as it is: of the thing that has it nothing is then
    believed (`instant_of`), and the rest of the answer is.
    """
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        # RFC 822, and epoch seconds as number or text: botocore knows them.
        try:
            parsed = DEFAULT_TIMESTAMP_PARSER(value)
        except (ValueError, TypeError, OverflowError, OSError, RuntimeError):
            return value
    if parsed.tzinfo is None:
        return parsed.replace(tzinfo=UTC)
    return parsed.astimezone(UTC)


def instant_of(value: Any, name: str) -> datetime:
    """Return a timestamp in UTC. Raises `ValueError` for what is none."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    raise ValueError(f"{name} is {str(value)[:60]!r}, which is no instant")


def speed_up_timestamps(session: Session) -> None:
    """Make all clients of `session` read timestamps with `read_timestamp`.

    botocore's own reader tries every format there is, which is a third of the time that
    listing stacks takes, and answers in local time. The AWS CLI sets its own as well.
    """
    factory = session.get_component("response_parser_factory")
    factory.set_parser_defaults(timestamp_parser=read_timestamp)
