"""What bootstrap.py builds for Slack, apart from it, since few functions need it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from janitor.adapters.aws.secrets import bot_token, check_slack_secrets, signing_secret
from janitor.settings import Settings

if TYPE_CHECKING:
    from janitor.adapters.slack.channel import SlackChannel

Clients = Callable[[str], Any]
"""Returns the client of an AWS service, as `Aws.client` does."""
SECONDS_FOR_SLACK = 5


def slack_of(settings: Settings, clients: Clients) -> "SlackChannel":
    """Return Slack. Its token is read anew for each message; the queue tries again, not it."""
    from slack_sdk import WebClient  # noqa: PLC0415 - what only looks at secrets needs no client

    from janitor.adapters.slack.channel import SlackChannel  # noqa: PLC0415 - as above

    secrets = clients("secretsmanager")
    client = WebClient(base_url=settings.slack_url, timeout=SECONDS_FOR_SLACK, retry_handlers=[])
    return SlackChannel(client, lambda: bot_token(secrets, settings.slack_secret))


def signing_secret_of(settings: Settings, clients: Clients) -> str:
    """Return what Slack signs its requests with, as it is now."""
    return signing_secret(clients("secretsmanager"), settings.slack_signing_secret)


def check_slack(settings: Settings, clients: Clients, *, ask: bool) -> None:
    """Raise `ConfigurationError` naming the secret that is not usable.

    With `ask`, Slack is asked as well what the token is good for.
    """
    if settings.slack_secret or settings.slack_signing_secret:
        check_slack_secrets(
            clients("secretsmanager"), settings.slack_secret, settings.slack_signing_secret
        )
        if ask:
            slack_of(settings, clients).examine()
