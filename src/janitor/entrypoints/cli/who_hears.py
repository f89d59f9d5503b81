"""Say after a deployment whether owners have a channel, and how to give them one: `make deploy`."""

import sys
from datetime import UTC, datetime

from janitor.adapters.aws.session import connect
from janitor.application.operations.doctor import owners_of
from janitor.bootstrap import deployment_of
from janitor.domain.errors import JanitorError
from janitor.settings import settings_now


def main(name: str) -> int:
    """Print it as a sentence; what cannot be looked at fails no deployment."""
    try:
        copy = deployment_of(name, connect(settings_now()))
        _, said = owners_of(copy, copy.outputs(), datetime.now(UTC))
    except (JanitorError, KeyError) as error:
        said = f"whether owners have a channel could not be looked at: {error}"
    print(f"{said[:1].upper()}{said[1:]}.")  # noqa: T201 - what a command line does
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
