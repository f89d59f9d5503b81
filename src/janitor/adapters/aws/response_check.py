"""AWS's own answers, told from those of a proxy, a login page or a wrong address.

botocore does not: it takes a page of HTML for an empty answer of DynamoDB, SSM or SQS, which
says that a row is not there, or that a transaction was written; and where it notices, it
raises anything from `ResponseParserError` to `KeyError`. Here all of that is one error, which
belongs to those that boto3 raises about a call.
"""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError
from botocore.parsers import ResponseParserError, ResponseParserFactory
from botocore.session import Session

_REQUEST_IDS = ("x-amzn-requestid", "x-amz-request-id")
_HOLDS = {
    "DescribeStacksOutput": "Stacks",
    "DescribeStackEventsOutput": "StackEvents",
    "GetTemplateOutput": "TemplateBody",
    "ListImportsOutput": "Imports",
    "ListStackResourcesOutput": "StackResourceSummaries",
    "QueryOutput": "Items",
    "ScanOutput": "Items",
    "BatchGetItemOutput": "Responses",
    "GetParameterResult": "Parameter",
    "SendMessageResult": "MessageId",
    "PublishResponse": "MessageId",
    "ListSubscriptionsByTopicResponse": "Subscriptions",
    "GetSubscriptionAttributesResponse": "Attributes",
    "GetCallerIdentityResponse": "Arn",
}
"""What AWS never leaves out of an answer, be it empty: without it an answer says nothing."""
_UNPARSED = (ResponseParserError, LookupError, AttributeError, TypeError, ValueError)


class NotAws(BotoCoreError):
    """What answered is not AWS, or not all of its answer came through."""

    fmt = "what answered is not AWS ({seen}); is AWS_ENDPOINT_URL or a proxy in the way?"


def take_only_aws(session: Session) -> None:
    """Make all clients of `session` refuse answers that are none of AWS's."""
    session.register_component("response_parser_factory", _Strict())


class _Strict(ResponseParserFactory):
    """Makes botocore's own parsers, each behind the question whose answer it is."""

    def create_parser(self, protocol_name: str) -> Any:
        """Return the parser of a protocol."""
        return _Parser(super().create_parser(protocol_name))


class _Parser:
    """One parser of botocore's."""

    def __init__(self, parser: Any) -> None:
        self._parser = parser

    def parse(self, response: Mapping[str, Any], shape: Any) -> Any:
        """Parse an answer. Raises `NotAws` for what cannot be one of AWS's."""
        status: int = response["status_code"]
        is_broken_off = status >= 500  # botocore tries again, whoever said so
        if not is_broken_off and not _has_request_id(response):
            if hasattr(response["body"], "close"):
                response["body"].close()  # a stream that nobody is going to read
            raise NotAws(seen=_seen(response))
        try:
            parsed = self._parser.parse(response, shape)
        except _UNPARSED as error:
            if not is_broken_off:
                raise NotAws(seen=_seen(response)) from error
            said = {"Code": str(status), "Message": "the answer cannot be read"}
            return {"Error": said, "ResponseMetadata": {"HTTPStatusCode": status}}
        held = _HOLDS.get(shape.name) if shape and status < 300 else None
        if held and held not in parsed:
            raise NotAws(seen=f"{_seen(response)}, without {held}")
        return parsed


def _has_request_id(response: Mapping[str, Any]) -> bool:
    """Tell whether there is what AWS gives with every answer, in a header or in its XML."""
    body = response["body"]
    return any(name in response["headers"] for name in _REQUEST_IDS) or (
        isinstance(body, bytes) and b"<RequestId>" in body
    )


def _seen(response: Mapping[str, Any]) -> str:
    kind = " ".join(str(response["headers"].get("content-type", "")).split())[:60]
    what = "empty" if response["body"] == b"" else kind or "of no type"
    return f"HTTP {response['status_code']}, {what}"
