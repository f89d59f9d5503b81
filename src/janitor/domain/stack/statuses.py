"""What CloudFormation calls the states of a stack, and which of them take a deletion."""

DELETABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "CREATE_FAILED",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_FAILED",
        "DELETE_FAILED",
        "REVIEW_IN_PROGRESS",
    }
)
"""Every other status, those that AWS has yet to invent included, means wait."""

TAGGABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)
"""Statuses in which CloudFormation accepts an update, and so tags."""

ROLLED_BACK = "UPDATE_ROLLBACK_COMPLETE"
ROLLBACK_FAILED = "UPDATE_ROLLBACK_FAILED"
HALF_DELETED = "DELETE_FAILED"
GONE = "DELETE_COMPLETE"

IN_REVIEW = "REVIEW_IN_PROGRESS"
"""A change set was made, and nothing of the stack yet: somebody may be looking at it."""

IN_PROGRESS = "_IN_PROGRESS"
BEING_DELETED = "DELETE_IN_PROGRESS"
