"""Take a deployed stage away, and say what of it stays: `make destroy`."""

import sys

from janitor.adapters.aws.session import connect
from janitor.bootstrap import deployment_of
from janitor.domain.errors import JanitorError
from janitor.settings import settings_now

KEPT = {
    "AWS::DynamoDB::Table": "aws dynamodb delete-table --table-name {name}",
    # Under Object Lock: before its days are over this takes s3:BypassGovernanceRetention, if anything.
    "AWS::S3::Bucket": "aws s3api delete-bucket --bucket {name}  # once it is empty",
    "AWS::Logs::LogGroup": "aws logs delete-log-group --log-group-name {name}",
    "AWS::IAM::Role": "",
    "AWS::ApiGateway::Account": "",
}
"""What the template retains, and the command that removes it; empty where others may need it."""

API_LOG_ROLE = "ApiLogRole"
"""Of the roles this one stays; the functions' go with them."""

UNPROTECT = (
    "aws dynamodb update-table --no-deletion-protection-enabled --table-name {name}"
    "  # first, where TableDeletionProtection is true"
)


def main(name: str) -> int:
    """Delete the stack and print what stays with the commands that remove it.

    On a terminal it asks first. Returns the exit code: 1 where it fails or nobody agreed.
    """
    try:
        aws = connect(settings_now())
        stack = deployment_of(name, aws)
        resources = stack.resources()
        if sys.stdin.isatty() and not _agreed(name, aws.home):
            print("nothing was deleted", file=sys.stderr)  # noqa: T201
            return 1
        stack.remove()
    except JanitorError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - what a command line does
        return 1
    kept = [
        (kind, resource)
        for kind, name_in_template, resource in resources
        if kind in KEPT and (kind != "AWS::IAM::Role" or name_in_template == API_LOG_ROLE)
    ]
    lines = [f"The stack {name} is deleted. These stay:"]
    lines += [f"  {kind.rpartition('::')[2]:9} {resource}" for kind, resource in kept]
    lines += [
        "Leases, journal and archive are the evidence. To remove them, and the logs, for good:"
    ]
    for kind, resource in kept:
        if kind == "AWS::DynamoDB::Table":
            lines.append(f"  {UNPROTECT.format(name=resource)}")
        if KEPT[kind]:
            lines.append(f"  {KEPT[kind].format(name=resource)}")
    print("\n".join(lines))  # noqa: T201
    return 0


def _agreed(name: str, region: str) -> bool:
    """Ask whoever sits there; Ctrl-C and the end of input are a no."""
    try:
        return input(f"Delete the janitor {name} in {region}? Type its name: ").strip() == name
    except (EOFError, KeyboardInterrupt):
        print(file=sys.stderr)  # noqa: T201
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
