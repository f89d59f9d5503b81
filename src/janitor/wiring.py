"""The one place where clients are built and journeys get what they depend on."""

import gc
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from janitor.adapters.console import ConsoleChannel
from janitor.adapters.parameters import (
    DefaultPolicies,
    FilePolicies,
    ModeParameter,
    ParameterPolicies,
)
from janitor.adapters.ports import Archive, Channel, Clock, Ledger, Policies, Queue, Stacks
from janitor.core.errors import ConfigurationError
from janitor.core.journal import Event
from janitor.core.links import Links
from janitor.settings import Settings

if TYPE_CHECKING:
    import boto3

    from janitor.adapters.deployment import Deployment
    from janitor.journeys.inprocess import Janitor

BRIEF_RETRIES: Any = {"mode": "adaptive", "total_max_attempts": 5}
"""Waits of 15 s at most: a function that has 20 s lives to say what failed, for another try."""
MOST_REGIONS_AT_ONCE = 8
COLLECT_AFTER = 50_000
"""Objects before Python looks for cycles: a sweep makes many objects and next to no cycles.

At Python's 700 the looking takes a fifth of the CPU time at 10,000 stacks, and grows
faster than their number.
"""


@dataclass(frozen=True)
class Aws:
    """An AWS session whose clients are made once per service and region."""

    session: "boto3.Session"
    home: str
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str, region: str | None = None) -> Any:
        """Return the client; several threads may ask."""
        from botocore.config import Config

        from janitor.adapters.cloudformation import CLIENT_CONFIG

        config = CLIENT_CONFIG
        if service != "cloudformation":
            config = config.merge(Config(retries=BRIEF_RETRIES))
        key = (service, region or self.home)
        with self._lock:  # making clients of one session is not thread-safe
            if key not in self._clients:
                make: Any = self.session.client  # typed for literal service names only
                try:
                    self._clients[key] = make(service, region_name=key[1], config=config)
                except ValueError as error:  # botocore's word on an endpoint that is no URL
                    raise ConfigurationError(f"AWS_ENDPOINT_URL: {error}") from error
            return self._clients[key]

    def check_regions(self, regions: Iterable[str]) -> None:
        """Raise `ConfigurationError` for a region that this version of boto3 does not know."""
        known = {
            region
            for partition in self.session.get_available_partitions()
            for region in self.session.get_available_regions("cloudformation", partition)
        }
        for region in regions:
            if region not in known:
                raise ConfigurationError(
                    f"region {region!r} is unknown; for instance eu-central-1 (a newer region"
                    " needs a newer boto3)"
                )

    def is_real(self) -> bool:
        """Tell whether any call would reach AWS itself, whatever the settings seem to say."""
        hosts = [
            str(urlsplit(self.client(service).meta.endpoint_url).hostname)
            for service in ("cloudformation", "dynamodb", "sns")
        ]
        return any("amazonaws" in host or host.endswith(".aws") for host in hosts)

    def identity(self) -> str:
        """Return who is at work here, as the journal names operators."""
        import getpass

        from janitor.adapters.aws_errors import AwsError

        try:
            return str(self.client("sts").get_caller_identity()["Arn"])
        except AwsError:
            return f"{getpass.getuser()} (unconfirmed)"


def connect(settings: Settings, *, check_regions: bool = True) -> Aws:
    """Open an AWS session by the ordinary settings of the AWS tools."""
    import boto3

    from janitor.adapters.aws_errors import AwsError, translated
    from janitor.adapters.cloudformation import speed_up_timestamps

    try:
        session = boto3.Session(region_name=settings.region)
        if not session.region_name and len(settings.regions) == 1:
            session = boto3.Session(region_name=settings.regions[0])
    except AwsError as error:
        raise translated(error, "reading the AWS settings") from error
    if not session.region_name:
        raise ConfigurationError("no AWS region is set: set AWS_REGION to where the tables are")
    gc.set_threshold(COLLECT_AFTER)
    speed_up_timestamps(session._session)  # noqa: SLF001 - boto3 has no other way to botocore's
    aws = Aws(session, session.region_name)
    if check_regions:
        aws.check_regions((aws.home, *settings.regions))
    return aws


def policies_of(settings: Settings, aws: Aws | None) -> Policies:
    """Return where the policy comes from: a file, a parameter, or the built-in one."""
    if settings.policy.startswith("ssm:"):
        if aws is None:
            raise ConfigurationError("a policy in SSM needs an AWS session")
        name = settings.policy.removeprefix("ssm:")
        policies = ParameterPolicies(aws.client("ssm"), name, settings.mode)
        if settings.mode_parameter and settings.mode is None:
            return ModeParameter(policies, aws.client("ssm"), settings.mode_parameter)
        return policies
    if settings.policy:
        return FilePolicies(Path(settings.policy), settings.mode)
    return DefaultPolicies(settings.mode)


def channel_of(settings: Settings, aws: Aws, write: Callable[[str], None]) -> Channel | None:
    """Return the way to reach people, if one is set."""
    if settings.notify == "console":
        return ConsoleChannel(write)
    if settings.notify:
        from janitor.adapters.sns import SnsChannel

        arn = settings.notify.removeprefix("sns:")
        return SnsChannel(aws.client("sns", arn.split(":")[3]), arn)
    return None


def queue_of(settings: Settings, aws: Aws) -> Queue:
    """Return the way to the functions that notify and delete."""
    from janitor.adapters.sqs import SqsQueue

    return SqsQueue(aws.client("sqs"), settings.notice_queue, settings.deletion_queue)


def links_of(settings: Settings, aws: Aws) -> Links:
    """Return the signer of extension links, with its present and its previous key."""
    from janitor.adapters.secrets import link_keys

    return Links(link_keys(aws.client("secretsmanager"), settings.link_secret), settings.link_base)


def stacks_of(aws: Aws, on_page: Callable[[str, int], None] | None = None) -> Stacks:
    """Return CloudFormation in all regions."""
    from janitor.adapters.cloudformation import CloudFormation

    def client(region: str) -> Any:
        return aws.client("cloudformation", region)

    return CloudFormation(client, on_page, MOST_REGIONS_AT_ONCE)


def create_tables_of(settings: Settings, aws: Aws) -> list[str]:
    """Create what is missing of the two tables; return the names of those created."""
    from janitor.adapters.tables import create_tables

    return create_tables(aws.client("dynamodb"), settings.lease_table, settings.journal_table)


def put_account_of(settings: Settings, aws: Aws) -> None:
    """Begin the ledger in tables that CloudFormation made; safe to repeat."""
    from janitor.adapters.tables import put_account

    put_account(aws.client("dynamodb"), settings.lease_table)


def answer_hook(event: Mapping[str, str], aws: Aws, *, passed: bool) -> None:
    """Tell CodeDeploy whether the new version may have the traffic."""
    aws.client("codedeploy").put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status="Succeeded" if passed else "Failed",
    )


def deployment_of(stack: str, aws: Aws) -> "Deployment":
    """Return a deployed copy of the janitor, to be looked at or taken away."""
    from janitor.adapters.deployment import Deployment

    return Deployment(aws.client, stack)


def check_secret(arn: str, parameter: str, aws: Aws) -> None:
    """Raise `ConfigurationError` naming the parameter if the secret is not there."""
    from janitor.adapters.aws_errors import AwsError, message_of

    try:
        aws.client("secretsmanager").describe_secret(SecretId=arn)
    except AwsError as error:
        raise ConfigurationError(f"{parameter}: {arn} is no secret: {message_of(error)}") from error


def ledger_of(
    settings: Settings, aws: Aws, on_written: Callable[[Event], object] = lambda _: None
) -> Ledger:
    """Return the ledger in the account's two tables; it tells of each event once written."""
    from janitor.adapters.dynamodb import DynamoLedger

    tables = (settings.lease_table, settings.journal_table)
    return DynamoLedger(aws.client("dynamodb"), *tables, on_written=on_written)


def archive_of(settings: Settings, aws: Aws) -> Archive:
    """Return the archive that is named, or that a deployed janitor has."""
    from janitor.adapters.s3_archive import S3Archive

    named = settings.archive
    address = named if named.startswith("s3://") else deployment_of(named, aws).archive()
    return S3Archive(aws.client("s3"), address)


def build(
    settings: Settings,
    aws: Aws,
    *,
    clock: Clock,
    write: Callable[[str], None],
    on_page: Callable[[str, int], None] | None = None,
    links: Links | None = None,
) -> "Janitor":
    """Put the janitor together for one run against an account."""
    from janitor.journeys.inprocess import Janitor

    policies = policies_of(settings, aws)
    aws.check_regions(policies.policy().regions)
    return Janitor(
        clock=clock,
        policies=policies,
        stacks=stacks_of(aws, on_page),
        ledger=ledger_of(settings, aws),
        channel=channel_of(settings, aws, write),
        regions=settings.regions,
        home=aws.home,
        links=links,
    )
