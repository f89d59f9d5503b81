"""The way from the sweep to notify and delete: two SQS queues, in order per owner and stack."""

import hashlib
from typing import TYPE_CHECKING

from janitor.adapters.aws.errors import AwsError, translated
from janitor.domain.notification.messages import DeletionRequest, Telling, body_of

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LONGEST_WAIT = 11 * 3600
"""Seconds; a message may be at work for twelve hours in all."""


class SqsQueue:
    """The `Queue` port on two FIFO queues.

    A group is worked off one message after the other: the digests of one owner, and the
    deletions of one stack, never run side by side. The same request twice within five
    minutes is one.
    """

    def __init__(self, client: "SQSClient", notice_url: str, deletion_url: str) -> None:
        self._client = client
        self._notice_url = notice_url
        self._deletion_url = deletion_url

    def notify(self, request: Telling) -> None:
        contact = request.contact
        group = f"{contact.kind.value}:{contact.address}"
        self._send(self._notice_url, group, body_of(request))

    def delete(self, request: DeletionRequest) -> None:
        self._send(self._deletion_url, request.stack_id, body_of(request))

    def _send(self, url: str, group: str, body: str) -> None:
        try:
            self._client.send_message(
                QueueUrl=url,
                MessageBody=body,
                MessageGroupId=_digest(group),
                MessageDeduplicationId=_digest(body),
            )
        except AwsError as error:
            raise translated(error, f"sending to the queue {url.rpartition('/')[2]}") from error


def postpone(client: "SQSClient", url: str, receipt: str, seconds: int) -> None:
    """Let a message that is at work come again after so many seconds, and not before."""
    try:
        client.change_message_visibility(
            QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=min(seconds, LONGEST_WAIT)
        )
    except AwsError as error:
        raise translated(error, f"postponing in the queue {url.rpartition('/')[2]}") from error


def _digest(text: str) -> str:
    """Return an id that SQS takes, whatever a tag said."""
    return hashlib.sha256(text.encode()).hexdigest()
