"""The one place where clients are built and journeys get what they depend on."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from janitor.adapters.aws.session import Aws
from janitor.adapters.policy_sources import (
    DefaultPolicies,
    FilePolicies,
    KeptPolicies,
    ModeParameter,
    ParameterPolicies,
)
from janitor.adapters.terminal import NOT_A_TERMINAL, ConsoleChannel, Readers
from janitor.adapters.thread_pool import MOST_AT_ONCE, Threads
from janitor.application.ports import (
    Archive,
    Channel,
    Clock,
    Ledger,
    Policies,
    Purger,
    Queue,
    SideBySide,
    Stacks,
    Topic,
)
from janitor.domain.errors import ConfigurationError
from janitor.domain.journal.events import Event
from janitor.domain.notification.commands import Place
from janitor.domain.notification.signed_links import Links
from janitor.settings import Settings

if TYPE_CHECKING:
    from janitor.adapters.aws.deployment import Deployment
    from janitor.application.operations.local import Janitor

MOST_REGIONS_AT_ONCE = 8

DEPLOYED_AS = {
    "lease_table": "LeaseTableName",
    "journal_table": "JournalTableName",
    "policy": "PolicyParameterName",
    "mode_parameter": "ModeParameterName",
}
"""The settings that a deployed copy's outputs stand for."""


def policies_of(settings: Settings, aws: Aws | None) -> Policies:
    """Return where the policy comes from: a file, a parameter, or the built-in one."""
    policies: Policies = DefaultPolicies(settings.mode)
    if settings.policy.startswith("ssm:"):
        if aws is None:
            raise ConfigurationError("a policy in SSM needs an AWS session")
        name = settings.policy.removeprefix("ssm:")
        policies = ParameterPolicies(aws.client("ssm"), name, settings.mode)
    elif settings.policy:
        policies = FilePolicies(Path(settings.policy), settings.mode)
    if aws is not None and settings.mode_parameter and settings.mode is None:
        return ModeParameter(policies, aws.client("ssm"), settings.mode_parameter)
    return policies


def channel_of(
    settings: Settings, aws: Aws, write: Callable[[str], None], *, is_terminal: bool = False
) -> Channel | None:
    """Return the way to reach people, if one is set; `write` may be that of a terminal."""
    if settings.topic:
        from janitor.adapters.aws.sns import SnsChannel

        arn = settings.topic
        client = aws.client("sns", arn.split(":")[3])
        topic = SnsChannel(client, arn, assume_told=settings.assumes_told)
        if not settings.slack_secret:
            return topic
        from janitor.adapters.channel_router import Routes
        from janitor.slack_bootstrap import slack_of

        return Routes(slack_of(settings, aws.client), topic, policies_of(settings, aws))
    if settings.notify:
        readers = Readers.OPERATORS if is_terminal else Readers.UNKNOWN
        return ConsoleChannel(write, Readers.EVERYBODY if settings.assumes_told else readers)
    return None


def place_of(settings: Settings, aws: Aws) -> Place:
    """Return where the commands in notices find this janitor."""
    return Place(
        region=aws.home,
        deployment=settings.deployment,
        lease_table=settings.lease_table,
        journal_table=settings.journal_table,
        regions=settings.regions,
    )


def topic_of(settings: Settings, aws: Aws) -> Topic | None:
    """Return the topic that somebody has to be seen to hear, if there is one."""
    if not settings.topic or settings.assumes_told:
        return None
    from janitor.adapters.aws.sns import SnsTopic

    return SnsTopic(aws.client("sns", settings.topic.split(":")[3]), settings.topic)


def queue_of(settings: Settings, aws: Aws) -> Queue:
    """Return the way to the functions that notify and delete."""
    from janitor.adapters.aws.sqs import SqsQueue

    return SqsQueue(aws.client("sqs"), settings.notice_queue, settings.deletion_queue)


def postpone_of(aws: Aws, url: str, receipt: str, seconds: int) -> None:
    """Give a message back to its queue, to come again after so many seconds."""
    from janitor.adapters.aws.sqs import postpone

    postpone(aws.client("sqs"), url, receipt, seconds)


def links_of(settings: Settings, aws: Aws) -> Links:
    """Return the signer of extension links, with its present and its previous key."""
    from janitor.adapters.aws.secrets import link_keys

    return Links(link_keys(aws.client("secretsmanager"), settings.link_secret), settings.link_base)


def stacks_of(aws: Aws, on_page: Callable[[str, int], None] | None = None) -> Stacks:
    """Return CloudFormation in all regions."""
    from janitor.adapters.aws.cloudformation import CloudFormation

    def client(region: str) -> Any:
        return aws.client("cloudformation", region)

    return CloudFormation(client, on_page, MOST_REGIONS_AT_ONCE)


def purgers_of(aws: Aws) -> Mapping[str, Purger]:
    """Return who empties what, by the word with which policy or tag opts in."""
    from janitor.adapters.aws.purgers import BucketPurger, RepositoryPurger

    return {"s3": BucketPurger(aws.client), "ecr": RepositoryPurger(aws.client)}


def create_tables_of(settings: Settings, aws: Aws) -> list[str]:
    """Create what is missing of the two tables; return the names of those created."""
    from janitor.adapters.aws.dynamodb.schema import create_tables

    return create_tables(aws.client("dynamodb"), settings.lease_table, settings.journal_table)


def put_account_of(settings: Settings, aws: Aws) -> None:
    """Begin the ledger in tables that CloudFormation made; safe to repeat."""
    from janitor.adapters.aws.dynamodb.schema import put_account

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
    from janitor.adapters.aws.deployment import Deployment

    return Deployment(aws.client, stack)


def as_deployed(settings: Settings, aws: Aws) -> Settings:
    """Fill in what nobody gave with what the deployed copy has that the settings name, if any.

    Raises `StackNotFound`, or `ConfigurationError` where the stack is no janitor.
    """
    if not settings.deployment:
        return settings
    outputs = deployment_of(settings.deployment, aws).outputs()
    if not outputs.keys() >= set(DEPLOYED_AS.values()):
        raise ConfigurationError(f"the stack {settings.deployment} is no deployed janitor")
    has = {field: outputs[output] for field, output in DEPLOYED_AS.items()}
    has["policy"] = f"ssm:{has['policy']}"
    given = settings.model_fields_set
    return settings.model_copy(update={f: value for f, value in has.items() if f not in given})


def side_by_side_of(on_done: Callable[[int], None] | None = None) -> SideBySide:
    """Return the threads in which a sweep works; `on_done` is told how much is done."""
    return Threads(MOST_AT_ONCE, on_done)


def ledger_of(
    settings: Settings, aws: Aws, on_written: Callable[[Event], object] = lambda _: None
) -> Ledger:
    """Return the ledger in the account's two tables; it tells of each event once written."""
    from janitor.adapters.aws.dynamodb.ledger import DynamoLedger

    tables = (settings.lease_table, settings.journal_table)
    return DynamoLedger(aws.client("dynamodb"), *tables, on_written=on_written)


def archive_of(settings: Settings, aws: Aws) -> Archive:
    """Return the archive that is named, or that a deployed janitor has."""
    from janitor.adapters.aws.s3_archive import S3Archive

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
    on_done: Callable[[int], None] | None = None,
    links: Links | None = None,
    is_terminal: bool = False,
    by_last_sweep: bool = False,
) -> "Janitor":
    """Put the janitor together for one run against an account.

    `by_last_sweep` takes the policy that the ledger kept of that, and asks nobody for another.
    """
    from janitor.application.operations.local import Janitor

    ledger = ledger_of(settings, aws)
    kept = KeptPolicies(ledger, settings.mode)
    policies: Policies = kept if by_last_sweep else policies_of(settings, aws)
    aws.check_regions(policies.policy().regions)
    return Janitor(
        clock=clock,
        policies=policies,
        stacks=stacks_of(aws, on_page),
        ledger=ledger,
        channel=channel_of(settings, aws, write, is_terminal=is_terminal),
        topic=topic_of(settings, aws),
        place=place_of(settings, aws),
        unheard=NOT_A_TERMINAL * (settings.notify == "console" and not is_terminal),
        regions=settings.regions,
        home=aws.home,
        links=links,
        purgers=purgers_of(aws),
        side_by_side=side_by_side_of(on_done),
        pause=time.sleep,
    )
