"""What is secret: the signing keys of extension links, and what Slack gave the app."""

import re
from typing import TYPE_CHECKING, Literal

from janitor.adapters.aws.errors import AwsError, code_of, translated
from janitor.domain.errors import ConfigurationError, JanitorError
from janitor.domain.notification.signed_links import LEAST_KEY

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

    Stage = Literal["AWSPREVIOUS", "AWSCURRENT"]


def link_keys(client: "SecretsManagerClient", secret: str) -> list[str]:
    """Return the keys, the one that signs last.

    Putting a new value rotates: Secrets Manager then calls the old one AWSPREVIOUS, and
    links that it signed stay good until the next rotation.
    """
    current = read_secret(client, secret, "AWSCURRENT")
    if current is None:
        raise ConfigurationError(f"the secret {secret} has no value")
    if len(current) < LEAST_KEY:
        raise ConfigurationError(f"the secret {secret} is shorter than {LEAST_KEY} characters")
    previous = read_secret(client, secret, "AWSPREVIOUS")
    return [previous, current] if previous and len(previous) >= LEAST_KEY else [current]


def bot_token(client: "SecretsManagerClient", secret: str) -> str:
    """Return the token of the Slack app's bot."""
    token = (read_secret(client, secret) or "").strip()
    if not token.startswith("xoxb-"):
        raise ConfigurationError(
            f"the secret {secret} holds no bot token as plain text; one begins with xoxb-"
        )
    return token


def signing_secret(client: "SecretsManagerClient", secret: str) -> str:
    """Return what Slack signs its requests with."""
    value = (read_secret(client, secret) or "").strip()
    if not re.fullmatch(r"[0-9a-f]{32}", value):
        raise ConfigurationError(
            f"the secret {secret} holds no signing secret as plain text; one is 32 digits from 0 to f"
        )
    return value


def check_slack_secrets(client: "SecretsManagerClient", token: str, signing: str) -> None:
    """Raise `ConfigurationError` naming the template's parameter that is not usable."""
    for parameter, secret, read in (
        ("SlackSecretArn", token, bot_token),
        ("SlackSigningSecretArn", signing, signing_secret),
    ):
        if not secret:
            raise ConfigurationError(f"{parameter}: must be set too; Slack needs both secrets")
        try:
            read(client, secret)
        except JanitorError as error:
            raise ConfigurationError(f"{parameter}: {error}") from error


def read_secret(
    client: "SecretsManagerClient", secret: str, stage: "Stage" = "AWSCURRENT"
) -> str | None:
    """Return one version of a secret; None if there is none of that stage, or none as text."""
    try:
        return client.get_secret_value(SecretId=secret, VersionStage=stage).get("SecretString")
    except AwsError as error:
        # A secret that was never rotated has no previous version.
        if stage == "AWSPREVIOUS" and code_of(error) == "ResourceNotFoundException":
            return None
        raise translated(error, f"reading the secret {secret}") from error
