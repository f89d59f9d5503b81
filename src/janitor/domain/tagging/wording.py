"""What plan and explain say of the tags of a stack, where that is not just that they are there."""

from typing import assert_never

from janitor.domain.model import Lease, TagState
from janitor.domain.tagging.outcomes import way_out
from janitor.domain.tagging.ways import Why, why_text


def tags_text(lease: Lease) -> str:
    """Say how far the last change of a stack's tags is, or why there was none; empty: all is well."""
    last = lease.tagging
    if last is None:
        return ""
    match last.state:
        case TagState.PROPOSED:
            return "a change set is to show what changing its tags would change"
        case TagState.ASKED:
            return "its tags are being changed"
        case TagState.REFUSED | TagState.ROLLED_BACK:
            return f"its tags are not changed: {why_text(Why(last.why), last.detail)}"
        case TagState.STUCK:
            said = why_text(Why(last.why), last.detail)
            return f"its tags are not changed: {said}; to end that: {way_out(lease.stack_id, lease.region)}"
        case _ as unreachable:
            assert_never(unreachable)
