"""The address of a stack in the AWS console."""

import pytest

from janitor.domain.stack.console_links import console_page

REST = "/cloudformation/home?region={0}#/stacks/stackinfo?stackId={1}"


@pytest.mark.parametrize(
    "partition, region, host",
    [
        ("aws", "eu-central-1", "eu-central-1.console.aws.amazon.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_a_stack_is_found_by_its_id(partition: str, region: str, host: str) -> None:
    """Names are used again, ids are not."""
    stack_id = f"arn:{partition}:cloudformation:{region}:123456789012:stack/feat/0a"
    coded = stack_id.replace(":", "%3A").replace("/", "%2F")
    assert console_page(stack_id) == f"https://{host}{REST.format(region, coded)}"


@pytest.mark.parametrize(
    "stack_id",
    [
        "",
        "arn:other",
        "arn:aws-iso:cloudformation:us-iso-east-1:1:stack/feat/0a",
        "arn:aws:cloudformation::1:stack/feat/0a",
        "arn:aws:cloudformation:evil.example/:1:stack/feat/0a",
        'arn:aws:cloudformation:"><script>:1:stack/feat/0a',
        "arn:aws:cloudformation:ü:1:stack/feat/0a",
    ],
)
def test_an_id_that_is_none_leads_nowhere(stack_id: str) -> None:
    """Rather no link than one to somewhere else."""
    assert console_page(stack_id) == ""
