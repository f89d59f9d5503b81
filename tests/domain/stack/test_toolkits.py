"""Which outputs and descriptions make a stack one that others are deployed by."""

import pytest

from janitor.domain.stack.toolkits import toolkit_of

CDK_OUTPUTS = "BucketName BucketDomainName FileAssetKeyArn ImageRepositoryName BootstrapVersion"
FIRST_CDK = "The CDK Toolkit Stack. It was created by `cdk bootstrap` and manages resources"


@pytest.mark.parametrize(
    "outputs, description, tool",
    [
        (CDK_OUTPUTS, "This stack includes resources needed to deploy AWS CDK apps", "AWS CDK"),
        ("BootstrapVersion ImageRepositoryName", "ours", "AWS CDK"),
        ("BootstrapVersion BucketName", "", "AWS CDK"),
        ("BootstrapVersion FileAssetKeyArn", "", "AWS CDK"),
        ("BucketName BucketDomainName", FIRST_CDK, "AWS CDK"),
        ("SourceBucket", "Managed Stack for AWS SAM CLI", "AWS SAM CLI"),
        ("BootstrapVersion", "an app that shows what it was deployed with", ""),
        ("BootstrapVersion Url", "", ""),
        ("BucketName BucketDomainName", "a website", ""),
        ("SourceBucket", "a pipeline", ""),
        ("Url", "Managed Stack for AWS SAM CLI", ""),
        ("", FIRST_CDK, ""),
        ("", "", ""),
    ],
)
def test_a_bootstrap_stack_shows_by_two_signs_and_by_no_single_one(
    outputs: str, description: str, tool: str
) -> None:
    """Fails if `toolkit_of` asks for BootstrapVersion alone, or looks at no description."""
    assert toolkit_of(outputs.split(), description) == tool
