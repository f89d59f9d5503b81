"""The signing keys of extension links, in Secrets Manager."""

from typing import TYPE_CHECKING, Literal

from janitor.adapters.aws_errors import AwsError, code_of, translated
from janitor.core.errors import ConfigurationError
from janitor.core.links import LEAST_KEY

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


def read_secret(
    client: "SecretsManagerClient", secret: str, stage: "Stage" = "AWSCURRENT"
) -> str | None:
    """Return one version of a secret, or None if there is none of that stage."""
    try:
        return client.get_secret_value(SecretId=secret, VersionStage=stage)["SecretString"]
    except AwsError as error:
        # A secret that was never rotated has no previous version.
        if stage == "AWSPREVIOUS" and code_of(error) == "ResourceNotFoundException":
            return None
        raise translated(error, f"reading the secret {secret}") from error
