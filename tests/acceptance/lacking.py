"""What the emulator cannot do: the one list of what is taken out of template.yaml, and why.

test_deployment.py fails if an entry is no longer needed.
"""

from typing import Any

LACKING = {
    "AWS::CodeDeploy::Application": "made by SAM for DeploymentPreference",
    "AWS::CodeDeploy::DeploymentGroup": "made by SAM for DeploymentPreference",
    "AWS::Logs::QueryDefinition": "written in the template",
}
"""Types of resources by how they come into the template."""

LIKE = {
    "AWS::CodeDeploy::Application": {"ComputePlatform": "Lambda"},
    "AWS::CodeDeploy::DeploymentGroup": {
        "ApplicationName": "any",
        "ServiceRoleArn": "arn:aws:iam::000000000000:role/any",
    },
    "AWS::Logs::QueryDefinition": {"Name": "any", "QueryString": "fields @message"},
}
"""Properties of one of each, to see whether the emulator still refuses it."""

IGNORED = ("ObjectLockEnabled", "ObjectLockConfiguration")
"""Properties of buckets that stay in the template and have no effect.

test_archive.py sees to it that they still have none, and locks the bucket by S3's own calls.
"""

NEEDS_TLS = "EncryptedOnTheWay"
"""The statement of bucket policies that is taken out: the emulator speaks plain HTTP, and obeys it."""


UNKNOWN_KEYS = {"cloudformation:ChangeSetName"}
"""Keys of conditions that the emulator gives no request, so that an allow with one allows nothing.

They are taken out there; tests/domain/tagging/test_rights.py evaluates them as IAM does.
"""


def without_what_lacks(template: dict[str, Any]) -> dict[str, Any]:
    """Return the template without what is in the list."""
    resources = {}
    for name, resource in template["Resources"].items():
        if resource["Type"] not in LACKING:
            kept = {k: v for k, v in resource.get("Properties", {}).items() if _is_there(k)}
            resources[name] = {**resource, "Properties": kept}
            if resource["Type"] == "AWS::S3::BucketPolicy":
                document = kept["PolicyDocument"]
                own = [one for one in document["Statement"] if one["Sid"] != NEEDS_TLS]
                kept["PolicyDocument"] = {**document, "Statement": own}
            for policy in kept.get("Policies", []) if resource["Type"] == "AWS::IAM::Role" else []:
                document = policy["PolicyDocument"]
                document["Statement"] = [_without_keys(one) for one in document["Statement"]]
    return {**template, "Resources": resources}


def _without_keys(statement: dict[str, Any]) -> dict[str, Any]:
    if statement.get("Effect") != "Allow":
        return statement
    conditions = {
        operator: {key: value for key, value in keys.items() if key not in UNKNOWN_KEYS}
        for operator, keys in statement.get("Condition", {}).items()
    }
    left = {operator: keys for operator, keys in conditions.items() if keys}
    plain = {key: value for key, value in statement.items() if key != "Condition"}
    return {**plain, "Condition": left} if left else plain


def _is_there(name: str) -> bool:
    by_preference = "made by SAM for DeploymentPreference" in LACKING.values()
    return not (name == "DeploymentPreference" and by_preference)
