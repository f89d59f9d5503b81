"""Where a stack is shown in the AWS console."""

import re
from urllib.parse import quote

_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def console_page(stack_id: str) -> str:
    """Return the address of a stack's page; empty where the id names no region we can spell."""
    parts = stack_id.split(":")
    if len(parts) < 6 or parts[1] not in _HOSTS or not re.fullmatch(r"[a-z0-9-]+", parts[3]):
        return ""
    host, region = _HOSTS[parts[1]], parts[3]
    return (
        f"https://{region}.{host}/cloudformation/home?region={region}"
        f"#/stacks/stackinfo?stackId={quote(stack_id, safe='')}"
    )
