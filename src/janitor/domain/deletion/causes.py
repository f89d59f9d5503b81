"""Why a deletion failed, by what AWS says: its codes, its statuses and its known sentences.

Names are other people's words, so none is looked for and none is taken out: a code counts
where AWS puts codes, and a sentence where one begins. Each pattern reads a bounded number of
characters from any place, so that the steps grow with the text, whatever the text.
"""

import re
from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from janitor.domain.model import Stack
from janitor.domain.stack.resources import Resource

THROTTLED_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RateLimitExceeded",
        "RateLimitExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
"""What AWS's own SDKs wait for, and what some services call it besides.

https://docs.aws.amazon.com/boto3/latest/guide/retries.html#standard-retry-mode
"""


class Cause(StrEnum):
    """Why something was not deleted, as far as that decides what comes next."""

    IN_USE = "export in use"
    THROTTLED = "throttled"
    NOT_BEGUN = "not begun"
    FUNCTION = "custom resource"
    ROLE_GONE = "role gone"
    DENIED = "access denied"
    FULL = "not empty"
    PROTECTED = "protected"
    IN_THE_WAY = "in the way"
    OTHER = "other"

    @property
    def only_waits(self) -> bool:
        """Tell whether no rung of the ladder helps, but time, or another stack's end."""
        return self in (Cause.IN_USE, Cause.THROTTLED)


class Failure(Struct, frozen=True):
    """A deletion that failed: in words, and as what decides."""

    text: str
    cause: Cause
    importers: tuple[str, ...] = ()
    """The stacks that AWS names where an export is in use."""


_LABELLED = re.compile(r"(?:Error ?Code: ?|error occurred \()([A-Za-z][\w.]{2,79})")
"""`Error Code: X` of the SDK for Java, `HandlerErrorCode: X` of CloudFormation, and botocore's."""

_LED = re.compile(r'(?:^|[\n:,.(] ?"?|error )([A-Z][A-Za-z0-9]{2,79})(?=: )')
"""A code before its message, as other SDKs write it: `ThrottlingException: Rate exceeded`."""

_FIRST = re.compile(r"([A-Z][A-Za-z0-9]{2,79})(?=[.;]|$)")
"""A code with which all begins, as in some texts of CloudFormation: `AccessDenied. User …`."""

_STATUS = re.compile(r"Status ?Code: ?(\d{3})\b", re.IGNORECASE)
_CAUSE_OF_STATUS = {"429": Cause.THROTTLED, "403": Cause.DENIED}

_CAUSE_OF_CODE = {
    **dict.fromkeys(THROTTLED_CODES, Cause.THROTTLED),
    "AccessDenied": Cause.DENIED,
    "AccessDeniedException": Cause.DENIED,
    "AuthorizationError": Cause.DENIED,
    "AuthorizationErrorException": Cause.DENIED,
    "UnauthorizedOperation": Cause.DENIED,
    "BucketHasAccessPointsAttached": Cause.IN_THE_WAY,
    "DeleteConflict": Cause.IN_THE_WAY,
    "DeleteConflictException": Cause.IN_THE_WAY,
    "DependencyViolation": Cause.IN_THE_WAY,
    "WAFAssociatedItemException": Cause.IN_THE_WAY,
}
_CAUSE_OF_ENDING = (
    (("NotEmpty", "NotEmptyException"), Cause.FULL),
    (("InUse", "InUseException", "InUseFault"), Cause.IN_THE_WAY),
)
_CLUSTER_CONTAINS = "ClusterContains"
"""Services, tasks or instances, in the codes of ECS."""

_BEGINS = r'(?:^|[\n:.;(] ?"?|API: [\w:-]{1,100} )'
_ENDS = r"(?![\w-])"
_SENTENCES = tuple(
    (cause, re.compile(pattern, re.IGNORECASE))
    for cause, pattern in (
        (Cause.IN_USE, r"as it is in use by |is imported by stack |exports cannot be updated:"),
        (
            Cause.THROTTLED,
            _BEGINS + r"(?:rate exceeded|request limit exceeded|too many requests"
            r"|please reduce your request rate|subscriber limit exceeded)" + _ENDS,
        ),
        (
            Cause.FUNCTION,
            r"status \[failed\] from custom resource|not receive a response from your custom resource",
        ),
        (Cause.ROLE_GONE, r"is invalid or cannot be assumed"),
        (
            Cause.DENIED,
            _BEGINS + r"access denied" + _ENDS + r"|not authorized to perform"
            r"|doesn't have permission to call",
        ),
        (
            Cause.FULL,
            r"is not empty|must be empty|(?:it|still|deleted \() ?contains |contains non-required ",
        ),
        (
            Cause.PROTECTED,
            r"(?:deletion|termination) protection" + _ENDS + r"|deletionprotection (?:is|must) "
            r"|protected against deletion|cannot delete protected |'disableApiTermination'",
        ),
        (
            Cause.IN_THE_WAY,
            r"must (?:first )?(?:detach|remove|delete) |should be deleted first|attached to "
            r"|has (?:a )?dependen(?:t|cies)|used by another resource"
            r"|(?:is|are|still|currently|already) in use" + _ENDS,
        ),
    )
)
"""In the order in which one text is taken that says several things.

A custom resource passes on what its function was told: that AWS throttled it is AWS's word, but
no role of CloudFormation's mends what the function may not do.
"""

_NOT_BEGUN = re.compile(
    r"cannot be deleted while (?:in status (?!DELETE)|TerminationProtection is enabled)"
)
_CUSTOM_TYPES = ("Custom::", "AWS::CloudFormation::CustomResource")
_NO_REASON_OF_ITS_OWN = "Resource deletion cancelled"
"""What CloudFormation says of a resource when it gives up because of another one."""

_WEIGHT = (
    Cause.ROLE_GONE,
    Cause.DENIED,
    Cause.FULL,
    Cause.PROTECTED,
    Cause.IN_THE_WAY,
    Cause.FUNCTION,
    Cause.OTHER,
    Cause.IN_USE,
    Cause.THROTTLED,
)
"""The order in which a stack is taken whose resources failed for several reasons.

What a role mends comes first, then what emptying or a person mends. Only where waiting alone
helps with everything that failed is the stack one that waits.
"""


def cause_of(said: str) -> Cause:
    """Class one text of AWS: a status reason, or an error as `code: message`."""
    found = {_cause_of_code(code) for code in _codes_in(said)}
    found |= {_CAUSE_OF_STATUS.get(status, Cause.OTHER) for status in {*_STATUS.findall(said)}}
    for cause, sentence in _SENTENCES:
        if cause in found or sentence.search(said):
            return cause
    return Cause.OTHER


def _codes_in(said: str) -> set[str]:
    first = _FIRST.match(said)
    return {*_LABELLED.findall(said), *_LED.findall(said), *([first[1]] if first else ())}


def _cause_of_code(code: str) -> Cause:
    """Class a code; EC2 puts a family before some of them: `InvalidGroup.InUse`."""
    code = code.rstrip(".").rpartition(".")[2]
    if code.startswith(_CLUSTER_CONTAINS):
        return Cause.FULL
    endings = (cause for ends, cause in _CAUSE_OF_ENDING if code.endswith(ends))
    return _CAUSE_OF_CODE.get(code) or next(endings, Cause.OTHER)


def cause_of_resource(resource: Resource) -> Cause:
    """Class why a resource failed; of a custom resource its function is to blame, if nothing else."""
    cause = cause_of(resource.reason)
    is_custom = resource.type.startswith(_CUSTOM_TYPES) and resource.reason
    return Cause.FUNCTION if cause is Cause.OTHER and is_custom else cause


def cause_of_refusal(said: str) -> Cause:
    """Class why CloudFormation would not begin a deletion."""
    cause = cause_of(said)
    may_be = cause in (Cause.OTHER, Cause.PROTECTED)
    return Cause.NOT_BEGUN if may_be and _NOT_BEGUN.search(said) else cause


def cause_of_failure(stack: Stack, failed: Iterable[Resource]) -> Cause:
    """Class why `stack` is still there: by its status reason and by those of `failed`.

    Of a nested stack only what is in it counts, if anything in it failed; so does nothing that
    says no more than that another resource failed.
    """
    failed = tuple(failed)
    told_by_contents = _with_contents(failed)
    causes = {
        cause_of_resource(one)
        for one in failed
        if one.physical_id not in told_by_contents
        and one.reason
        and one.reason != _NO_REASON_OF_ITS_OWN
    }
    of_the_stack = cause_of(stack.status_reason)
    if of_the_stack is not Cause.OTHER or not causes:
        causes.add(of_the_stack)
    return next(cause for cause in _WEIGHT if cause in causes)


def stuck(failed: Iterable[Resource]) -> tuple[Resource, ...]:
    """Return what waiting alone does not help; of nested stacks, those with such a thing in them."""
    failed = tuple(failed)
    told_by_contents, with_stuck = _with_contents(failed), set()
    found: list[Resource] = []
    for one in reversed(failed):  # What is in a nested stack comes after it.
        if one.physical_id in told_by_contents:
            is_stuck = one.physical_id in with_stuck
        else:
            is_stuck = not cause_of_resource(one).only_waits
        if is_stuck:
            found.append(one)
            with_stuck.add(one.stack_id)
    return tuple(reversed(found))


def _with_contents(failed: Iterable[Resource]) -> frozenset[str]:
    """Return the ids of the nested stacks in which something failed."""
    return frozenset(one.stack_id for one in failed if one.stack_id)
