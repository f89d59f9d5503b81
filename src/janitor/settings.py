"""What the environment must say, read once and checked."""

import os
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from janitor.domain.errors import ConfigurationError
from janitor.domain.model import Mode

VARIABLES = {
    "deployment": "JANITOR_DEPLOYMENT",
    "policy": "JANITOR_POLICY",
    "mode": "JANITOR_MODE",
    "notify": "JANITOR_NOTIFY",
    "lease_table": "JANITOR_LEASE_TABLE",
    "journal_table": "JANITOR_JOURNAL_TABLE",
    "archive": "JANITOR_ARCHIVE",
    "region": "AWS_REGION",
    "endpoint_url": "AWS_ENDPOINT_URL",
}
"""Which variable holds which setting; a command's option comes before its variable."""

DEPLOYED_VARIABLES = {
    "stage": "JANITOR_STAGE",
    "mode_parameter": "JANITOR_MODE_PARAMETER",
    "notice_queue": "JANITOR_NOTICE_QUEUE",
    "deletion_queue": "JANITOR_DELETION_QUEUE",
    "link_secret": "JANITOR_LINK_SECRET",
    "link_base": "JANITOR_LINK_BASE",
    "slack_secret": "JANITOR_SLACK_SECRET",
    "slack_signing_secret": "JANITOR_SLACK_SIGNING_SECRET",
    "slack_url": "JANITOR_SLACK_URL",
}
"""Those that template.yaml alone sets, for the deployed functions."""

_ALL_VARIABLES = {**VARIABLES, **DEPLOYED_VARIABLES}


ASSUME_TOLD = ":assume-told"
_URL = r"^(|https?://\S+)$"
_SAFE_URL = r"^(https://\S+|http://(127\.0\.0\.1|localhost)(:\d+)?/\S*)$"
"""A token goes there, so without TLS it is this machine alone."""


class Settings(BaseModel):
    """The settings in force."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    deployment: str = Field("", pattern=r"^(|[A-Za-z][A-Za-z0-9-]{0,127})$")
    """The stack of a deployed janitor: its tables, policy and mode hold where nothing is said."""
    policy: str = ""
    """A file, or `ssm:NAME`; empty: the built-in policy."""
    mode: Mode | None = None
    """Overrides the mode in the policy."""
    notify: str = Field(
        "",
        pattern=r"^(|console(:assume-told)?"
        r"|sns:arn:aws[a-z-]*:sns:[a-z0-9-]+:\d+:[A-Za-z0-9_.-]+(:assume-told)?)$",
    )
    """The way to people; with `:assume-told` somebody answers for it that they are reached."""
    lease_table: str = Field("janitor-leases", pattern=r"^[A-Za-z0-9_.-]{3,255}$")
    journal_table: str = Field("janitor-journal", pattern=r"^[A-Za-z0-9_.-]{3,255}$")
    archive: str = Field(
        "", pattern=r"^(|s3://[a-z0-9][a-z0-9.-]{2,62}(/\S*)?|[A-Za-z][A-Za-z0-9-]{0,127})$"
    )
    """The archive of the journal: a bucket, or the stack of a deployed janitor that has one."""
    region: str | None = None
    """Where the tables and the policy parameter are."""
    regions: tuple[str, ...] = ()
    """Where to look for stacks; empty: what the policy says, or else `region`."""
    endpoint_url: str | None = None
    # Of the deployed functions alone; template.yaml sets them.
    stage: str = Field("", pattern=r"^[a-z0-9-]{0,16}$")
    mode_parameter: str = ""
    """The SSM parameter that holds the mode."""
    notice_queue: str = Field("", pattern=_URL)
    deletion_queue: str = Field("", pattern=_URL)
    link_secret: str = ""
    """The secret that holds the key of the extension links."""
    link_base: str = Field("", pattern=_URL)
    """The address under which the extension page is served."""
    slack_secret: str = ""
    """The secret that holds the bot token; without it there is no Slack."""
    slack_signing_secret: str = ""
    """The secret with which Slack signs what it reports."""
    slack_url: str = Field("https://slack.com/api/", pattern=_SAFE_URL)

    @property
    def topic(self) -> str:
        """Return the ARN of the topic that notices go to; empty where they go elsewhere."""
        way = self.notify.removesuffix(ASSUME_TOLD)
        return way.removeprefix("sns:") if way.startswith("sns:") else ""

    @property
    def assumes_told(self) -> bool:
        """Tell whether somebody answers for it that people are reached."""
        return self.notify.endswith(ASSUME_TOLD)

    def require(self, *fields: str) -> None:
        """Raise `ConfigurationError` naming each of the variables that is not set."""
        missing = [_ALL_VARIABLES[field] for field in fields if not getattr(self, field)]
        if missing:
            raise ConfigurationError(f"{', '.join(missing)} must be set; template.yaml does so")

    @property
    def is_emulated(self) -> bool:
        """Tell whether all this happens to something that is not an AWS account."""
        return bool(self.endpoint_url)


_EXAMPLES = {
    "deployment": "janitor-dev",
    "mode": "off, observe, notify or enforce",
    "notify": "console or sns:arn:aws:sns:eu-central-1:123456789012:janitor, either with"
    " :assume-told behind it",
    "lease_table": "janitor-leases: 3 to 255 letters, digits, dots, dashes or underscores",
    "journal_table": "janitor-journal: 3 to 255 letters, digits, dots, dashes or underscores",
    "archive": "s3://BUCKET/PREFIX, or janitor-dev for the one of a deployed janitor",
    "stage": "dev",
    "notice_queue": "https://sqs.eu-central-1.amazonaws.com/123456789012/notices.fifo",
    "deletion_queue": "https://sqs.eu-central-1.amazonaws.com/123456789012/deletions.fifo",
    "link_base": "https://abc123.execute-api.eu-central-1.amazonaws.com/live",
    "slack_url": "https://slack.com/api/",
}


def read_settings(environment: Mapping[str, str], **options: object) -> Settings:
    """Read settings; an option that is given comes before its variable.

    Raises `ConfigurationError` naming the option or variable that is wrong.
    """
    named = dict(environment)
    if not named.get("AWS_REGION") and named.get("AWS_DEFAULT_REGION"):
        named["AWS_REGION"] = named["AWS_DEFAULT_REGION"]
    found: dict[str, object] = {
        field: named[variable] for field, variable in _ALL_VARIABLES.items() if named.get(variable)
    }
    given = {field: value for field, value in options.items() if value not in (None, "", (), [])}
    try:
        return Settings.model_validate({**found, **given})
    except ValidationError as error:
        problems = [str(p["loc"][0]) for p in error.errors()]
        raise ConfigurationError(
            "; ".join(_problem(field, given, {**found, **given}.get(field)) for field in problems)
        ) from error


def settings_now(**options: object) -> Settings:
    """Read settings from this process's environment."""
    return read_settings(os.environ, **options)


def is_lambda() -> bool:
    """Tell whether this process is a Lambda function."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ


def _problem(field: str, given: Mapping[str, object], value: object) -> str:
    name = f"--{field.replace('_', '-')}" if field in given else _ALL_VARIABLES.get(field, field)
    return f"{name}: {value!r} is not valid; for instance {_EXAMPLES.get(field, 'another value')}"
