"""Which stacks are there so that other stacks can be deployed, whatever somebody called them.

The name of CDK's is a setting (`cdk bootstrap --toolkit-stack-name`), and it takes the tags of
the app that is bootstrapped, so name and tags say little. Its outputs are what `cdk deploy`
looks for: https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-customizing.html (template:
https://github.com/aws/aws-cdk-cli/blob/main/packages/aws-cdk/lib/api/bootstrap/bootstrap-template.yaml).
"""

from collections.abc import Collection

CDK = "AWS CDK"
SAM = "AWS SAM CLI"

_CDK_VERSION = "BootstrapVersion"
"""An output of the toolkit. An app that is deployed with it has a parameter of that name."""
_CDK_ASSETS = frozenset({"BucketName", "ImageRepositoryName", "FileAssetKeyArn"})

_DESCRIBED = (
    ("The CDK Toolkit Stack.", CDK, "BucketName"),
    ("Managed Stack for AWS SAM CLI", SAM, "SourceBucket"),
)
"""How a description begins, of what, and an output beside it.

CDK's is that of its first template, which had no version. SAM writes its own in
https://github.com/aws/aws-sam-cli/blob/develop/samcli/lib/bootstrap/bootstrap.py.
"""


def toolkit_of(outputs: Collection[str], description: str) -> str:
    """Return which tool deploys other stacks by the one with these outputs; nothing if none does."""
    if _CDK_VERSION in outputs and not _CDK_ASSETS.isdisjoint(outputs):
        return CDK
    for begins, tool, output in _DESCRIBED:
        if description.startswith(begins) and output in outputs:
            return tool
    return ""
