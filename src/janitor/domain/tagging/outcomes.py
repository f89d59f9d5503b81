"""What became of an update of tags."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Became(StrEnum):
    """How far an update is, by the stack's events."""

    NOTHING = "nothing"
    """CloudFormation never began it."""
    UNDER_WAY = "under way"
    DONE = "done"
    ROLLED_BACK = "rolled back"
    STUCK = "stuck"
    """UPDATE_ROLLBACK_FAILED: somebody has to end the roll-back."""


class TagOutcome(Struct, frozen=True):
    """What the events of a stack say of one update."""

    became: Became
    reason: str = ""
    """Why it was rolled back, in AWS's words."""
    updated: datetime | None = None
    """LastUpdatedTime, where nothing was done to the stack since."""


def way_out(stack_id: str, region: str) -> str:
    """Return the command that ends a roll-back which is stuck."""
    return f"aws cloudformation continue-update-rollback --region {region} --stack-name {stack_id}"
