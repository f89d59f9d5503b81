"""The door of the api function: API Gateway's event in, the extension page out."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from msgspec.structs import replace

from janitor.application.ports import Ledger, Policies, Queue
from janitor.domain.notification.signed_links import Links
from janitor.entrypoints.aws_lambda.container import Deployed, deployed
from janitor.entrypoints.aws_lambda.slack import PATH, interact
from janitor.extension_page.http import Request, Response
from janitor.extension_page.router import handle

# Never `log_event` here: the path holds the token.
logger = Logger(service="janitor")


@logger.inject_lambda_context(clear_state=True)
def api(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001
    """Answer one request of API Gateway."""
    janitor = deployed("link_secret", "notice_queue")
    request = read_request(event)
    if request.path == PATH and janitor.settings.slack_signing_secret:
        return _shaped(request, from_slack(request, janitor))
    return answer(
        event,
        policies=janitor.policies,
        ledger=janitor.ledger,
        links=janitor.links,
        queue=janitor.queue,
    )


def answer(
    event: dict[str, Any], *, policies: Policies, ledger: Ledger, links: Links, queue: Queue
) -> dict[str, Any]:
    """Answer one event from what the function is made of, and log that it was."""
    request = read_request(event)
    response = handle(
        request,
        clock=now,
        policies=policies,
        ledger=ledger,
        links=replace(links, base_url=own_address(event)),
        queue=queue,
    )
    return _shaped(request, response)


def _shaped(request: Request, response: Response) -> dict[str, Any]:
    """Return the response as API Gateway takes it, and log that there was one."""
    logger.info("page.answered", extra={"method": request.method, "status": response.status})
    return {
        "statusCode": response.status,
        "headers": dict(response.headers),
        "body": response.body.decode(),
        "isBase64Encoded": False,
    }


def now() -> datetime:
    """Return the clock's instant."""
    return datetime.now(UTC)


def from_slack(request: Request, janitor: Deployed) -> Response:
    """Answer what Slack reports."""
    return interact(
        request,
        secret=janitor.signing_secret,
        clock=now,
        policies=janitor.policies,
        ledger=janitor.ledger,
        links=lambda: janitor.links,
        queue=janitor.queue,
    )


def own_address(event: dict[str, Any]) -> str:
    """Return the address that the page was asked under, by API Gateway's own word."""
    context = event.get("requestContext", {})
    return f"https://{context.get('domainName', '')}/{context.get('stage', '')}"


def read_request(event: dict[str, Any]) -> Request:
    """Read a REST API proxy event (payload 1.0); a body that cannot be decoded is empty."""
    body = (event.get("body") or "").encode()
    if event.get("isBase64Encoded"):
        try:
            body = base64.b64decode(body, validate=True)
        except binascii.Error:
            body = b""
    identity = event.get("requestContext", {}).get("identity", {})
    return Request(
        method=str(event.get("httpMethod", "")),
        path=str(event.get("path", "")),
        headers={str(k): str(v) for k, v in (event.get("headers") or {}).items()},
        body=body,
        ip=str(identity.get("sourceIp", "")),
    )
