"""What is said of a resource that could not be deleted: why, and what helps."""

import pytest

from janitor.domain.deletion.failure_wording import failure_text, held_up_text, plain_words
from janitor.domain.stack.resources import Resource

QUEUE = Resource("Queue", "AWS::SQS::Queue", "queue", "DELETE_FAILED")
CDK = (
    "Received response status [FAILED] from custom resource. Message returned: Error: Exports"
    " cannot be updated: /cdk/exports/foo is in use by stack(s) bar baz"
)


@pytest.mark.parametrize(
    "kind,reason,words",
    [
        ("AWS::S3::Bucket", "The bucket you tried to delete is not empty", "janitor:purge=s3"),
        ("AWS::ECR::Repository", "The repository is not empty", "janitor:purge=ecr"),
        ("AWS::Athena::WorkGroup", "WorkGroup feat is not empty", "--recursive-delete-option"),
        (
            "AWS::Backup::BackupVault",
            "Backup vault cannot be deleted because it contains recovery points.",
            "contains recovery points); delete its recovery points",
        ),
        ("AWS::X::Y", "It still contains things", "empty it, or delete it by hand"),
        ("AWS::EC2::SecurityGroup", "resource sg-1 has a dependent object", "still uses it"),
        ("AWS::IAM::Role", "Cannot delete entity, must detach all policies first.", "detach"),
        ("AWS::RDS::DBInstance", "Cannot delete: Deletion Protection is on", "of its own"),
        (
            "Custom::X",
            "Received response status [FAILED] from custom resource.",
            "the function behind this custom resource did not delete it",
        ),
        ("Custom::X", "no", "the function behind this custom resource did not delete it (no)"),
        ("Custom::CrossRegionExportWriter", CDK, "stacks bar and baz import what it exports ("),
        ("AWS::ApiGateway::RestApi", "Too Many Requests", "asked too often at that moment"),
        ("AWS::IAM::Role", "AccessDenied", "permission to delete it is missing"),
        ("AWS::X::Y", "", "CloudFormation gave no reason"),
        ("AWS::X::Y", "odd", "X (AWS::X::Y id): odd"),
    ],
)
def test_reasons_in_plain_words(kind: str, reason: str, words: str) -> None:
    """With what to do, where that is known."""
    assert words in plain_words(Resource("X", kind, "id", reason=reason))


def test_hostile_reasons_are_cleaned_and_cut() -> None:
    """They come from whoever wrote the template."""
    text = plain_words(Resource("X", "T", "i\u202e\n", reason="a\nb" + "c" * 9999))
    assert "\n" not in text
    assert "\u202e" not in text
    assert len(text) < 600


def test_many_failed_resources_are_counted() -> None:
    """Nobody reads a hundred lines."""
    text = failure_text("DELETE_FAILED: x.", (QUEUE,) * 14)
    assert text.startswith("DELETE_FAILED: x | Queue (AWS::SQS::Queue queue)")
    assert text.endswith(" | and 4 more")


@pytest.mark.parametrize(
    "importers,text",
    [
        ((), "another stack imports what it exports"),
        (("a",), "stack a imports what it exports"),
        (("a", "b", "c"), "stacks a, b and c import what it exports"),
    ],
)
def test_who_holds_a_stack_up_is_said(importers: tuple[str, ...], text: str) -> None:
    """By name, where AWS names them."""
    assert held_up_text(importers) == text
