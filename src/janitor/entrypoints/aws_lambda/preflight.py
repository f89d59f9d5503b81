"""The door that looks before anything goes live: at deployment, and before a new sweep.

As a custom resource it makes a deployment with unusable settings fail early, naming the
parameter; as CodeDeploy's hook it makes a dry sweep with the new code.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from janitor.application.sweep.sweep import sweep
from janitor.bootstrap import answer_hook, put_account_of
from janitor.domain.errors import ConfigurationError, JanitorError
from janitor.domain.failures import bug_text
from janitor.domain.journal.events import Actor
from janitor.domain.policy.schedule_expression import check_schedule
from janitor.entrypoints.aws_lambda.container import Deployed, deployed
from janitor.slack_bootstrap import check_slack

LONGEST_STACK_NAME = 24
"""CloudFormation puts stack, resource and 12 letters of its own into 64, and keeps so much of each."""

RESERVE_MILLISECONDS = 30_000
"""Time that a dry sweep leaves for the answer: CodeDeploy waits an hour for one that never comes."""
MOST_BYTES = 4_096
"""Of an answer to CloudFormation, which takes no longer one and says nothing of why:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html."""

logger = Logger(service="janitor")


@logger.inject_lambda_context(clear_state=True)
def check(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer CloudFormation, CodeDeploy, or whoever asks by hand."""
    if "RequestType" in event:
        why = "" if event["RequestType"] == "Delete" else _reason(partial(_look, event))
        _answer_cloudformation(event, context, why)
    elif "LifecycleEventHookExecutionId" in event:
        why = _reason(partial(_dry_sweep, context))
        answer_hook(event, deployed().aws, passed=not why)
    else:
        why = _reason(partial(_look, event)) or _reason(_ask_slack)
        why = why or _reason(partial(_dry_sweep, context))
    logger.info("check.failed" if why else "check.passed", extra={"reason": why})
    return {"fine": not why, "reason": why}


def _reason(look: Callable[[Deployed], None]) -> str:
    """Return why something is not fine, or nothing."""
    try:
        look(deployed())
    except JanitorError as error:
        return str(error)
    except Exception as error:
        logger.exception("check.broken")
        return bug_text(error)
    return ""


def _look(event: Mapping[str, Any], janitor: Deployed) -> None:
    """Look at every setting that a person may have got wrong, and begin the ledger.

    A deployment brings along what no function has among its settings.
    """
    given = event.get("ResourceProperties", {})
    for parameter in ("ScheduleExpression", "DigestSchedule"):
        if parameter in given:
            check_schedule(parameter, given[parameter])
    _check_names(given.get("OwnRoles", ""))
    janitor.settings.require("link_secret")
    janitor.policies.policy()
    janitor.policies.mode()
    _ = janitor.links
    check_slack(janitor.settings, janitor.aws.client, ask=False)
    put_account_of(janitor.settings, janitor.aws)


def _check_names(own_roles: str) -> None:
    """See that CloudFormation leaves the names whole that the permissions go by."""
    stack = own_roles.rpartition("/")[2].removesuffix("-*")
    if len(stack) > LONGEST_STACK_NAME:
        raise ConfigurationError(
            f"the stack's name {stack} has {len(stack)} characters, and {LONGEST_STACK_NAME} is"
            " the most: CloudFormation would shorten it within the names of functions and roles,"
            " and the permissions go by it; for instance janitor-dev"
        )


def _ask_slack(janitor: Deployed) -> None:
    """Ask Slack what its token is good for; no deployment hangs on whether it answers."""
    check_slack(janitor.settings, janitor.aws.client, ask=True)


def _dry_sweep(context: LambdaContext, janitor: Deployed) -> None:
    report = sweep(
        clock=lambda: datetime.now(UTC),
        policies=janitor.policies,
        regions=janitor.regions(),
        stacks=janitor.stacks,
        ledger=janitor.ledger,
        queue=janitor.queue,
        actor=Actor("janitor", "janitor", "check"),
        apply=False,
        may_go_on=lambda: context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS,
    )
    for outcome in report.outcomes:
        if outcome.bug:
            raise outcome.bug
    errors = [error for _, error in report.plan.regions if error]
    if len(errors) == len(report.plan.regions):
        raise JanitorError(f"no region can be listed: {'; '.join(errors)}")


def _answer_cloudformation(event: dict[str, Any], context: LambdaContext, why: str) -> None:
    """Put the outcome where CloudFormation waits for it."""
    import urllib.request  # noqa: PLC0415 - neither the hook nor doctor needs it

    answer = {
        "Status": "FAILED" if why else "SUCCESS",
        "Reason": "fine",
        "PhysicalResourceId": event.get("PhysicalResourceId") or context.log_stream_name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    if why:
        answer["Reason"] = _fitting(why, answer)
    request = urllib.request.Request(  # noqa: S310 - the address is CloudFormation's own
        event["ResponseURL"], json.dumps(answer).encode(), {"Content-Type": ""}, method="PUT"
    )
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310
        pass


def _fitting(why: str, answer: Mapping[str, str]) -> str:
    """Cut a reason so that the whole answer is taken; what is wrong first stands first."""
    room = MOST_BYTES - len(json.dumps({**answer, "Reason": ""}))
    if len(json.dumps(why)) - 2 <= room:
        return why
    rest = " ... (cut)"
    while len(json.dumps(why + rest)) - 2 > room:
        why = why[: len(why) * 9 // 10]
    return why + rest
