"""Several records in one call to DynamoDB; each is whole, or not there, or left out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_TOGETHER = 100
"""So many writes one transaction takes, and so many keys one reading."""


def write_together(
    client: "DynamoDBClient", transactions: Sequence[Sequence[Any]]
) -> dict[int, None]:
    """Make one transaction of several, and say by their places which it held.

    Left out are those for which there is no room, and those that write what another one
    writes too, which DynamoDB refuses. If it raises, nothing may have been written, or all.
    """
    writes: list[Any] = []
    held: dict[int, None] = {}
    written: set[str] = set()
    for place, more in enumerate(transactions):
        keys = {write["Put"]["Item"]["stack_id"]["S"] for write in more}
        if written.isdisjoint(keys) and len(writes) + len(more) <= MOST_TOGETHER:
            written |= keys
            writes += more
            held[place] = None
    client.transact_write_items(TransactItems=writes)
    return held


def read_together(
    client: "DynamoDBClient", table: str, stack_ids: Sequence[str]
) -> dict[int, dict[str, Any] | None]:
    """Read rows consistently, by place; None where there is none.

    Left out is what DynamoDB put off.
    """
    keys = [{"stack_id": {"S": stack_id}} for stack_id in dict.fromkeys(stack_ids)]
    answer = client.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
    rows: dict[Any, dict[str, Any]] = {
        row["stack_id"]["S"]: dict(row) for row in answer["Responses"].get(table, ())
    }
    put_off = answer["UnprocessedKeys"].get(table, {"Keys": ()})["Keys"]
    late = {key["stack_id"]["S"] for key in put_off}
    return {
        place: rows.get(stack_id)
        for place, stack_id in enumerate(stack_ids)
        if stack_id not in late
    }
