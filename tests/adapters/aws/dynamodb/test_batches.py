"""Several records in one call: what DynamoDB puts off or has no room for is left out."""

from typing import Any

import boto3
from botocore.stub import Stubber

from janitor.adapters.aws.dynamodb.batches import MOST_TOGETHER, read_together, write_together


def put(stack_id: str, number: int = 1) -> list[dict[str, Any]]:
    """Make a transaction of so many writes, all of one stack."""
    item = {"stack_id": {"S": stack_id}}
    return [{"Put": {"TableName": "leases", "Item": item}} for _ in range(number)]


def test_what_dynamodb_puts_off_is_left_out_and_what_is_not_there_is_none() -> None:
    """Fails without `if stack_id not in late`: a lease put off would count as none."""
    client = boto3.client("dynamodb", region_name="eu-central-1")
    late = {"Keys": [{"stack_id": {"S": "late"}}]}
    with Stubber(client) as answers:
        answers.add_response(
            "batch_get_item",
            {
                "Responses": {"leases": [{"stack_id": {"S": "there"}}]},
                "UnprocessedKeys": {"leases": late},
            },
            {
                "RequestItems": {
                    "leases": {
                        "Keys": [{"stack_id": {"S": key}} for key in ("there", "late", "not")],
                        "ConsistentRead": True,
                    }
                }
            },
        )
        found = read_together(client, "leases", ["there", "late", "there", "not"])
    there = {"stack_id": {"S": "there"}}
    assert found == {0: there, 2: there, 3: None}


def test_a_transaction_takes_each_stack_once_and_no_more_than_there_is_room_for() -> None:
    """Fails without either half of the condition; the rest is for each thread alone."""
    sent: list[Any] = []

    class Client:
        def transact_write_items(self, **arguments: Any) -> None:
            sent.append(arguments["TransactItems"])

    client: Any = Client()
    several = [put("a"), put("b", 2), put("a"), put("c", MOST_TOGETHER), put("d")]
    assert set(write_together(client, several)) == {0, 1, 4}
    assert sent == [[*put("a"), *put("b", 2), *put("d")]]
