"""What a decision stands on besides the policy: which one was accepted before, what is held.

It comes from the account's record, and is the same for all stacks of a sweep.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from msgspec import Struct, field
from pydantic import ValidationError

from janitor.domain.model import Account
from janitor.domain.planning.listed_regions import void_by_region
from janitor.domain.policy.model import Policy


class Ground(Struct, frozen=True):
    """What holds for every decision of one sweep."""

    policy: Policy
    accepted: Policy | None = None
    """The policy accepted last, where that is another one."""
    is_policy_held: bool = False
    """Too many deadlines would come earlier by `policy`: each keeps the later of its two."""
    previous: Policy | None = None
    """By which the stored deadlines may have been worked out, where that is another one."""
    accepted_moves: frozenset[str] = frozenset()
    bulk: frozenset[str] = frozenset()
    """Ids of stacks whose deadlines were moved by tags, together with too many others."""
    void_before: Mapping[str, datetime] = field(default_factory=dict)
    """By region: notices delivered before are void."""
    taken_out: Mapping[str, str] = field(default_factory=dict)
    """By stack id: why an operator took it out."""


def ground_of(account: Account, policy: Policy) -> Ground:
    """Return what the account's record says; a policy that is not accepted yet counts as held."""
    accepted = policy_from(account.accepted_policy)
    differs = accepted is not None and accepted.version != policy.version
    return Ground(
        policy,
        accepted=accepted if differs else None,
        is_policy_held=differs,
        previous=accepted if differs else policy_from(account.previous_policy),
        accepted_moves=frozenset(account.accepted_moves),
        void_before=void_by_region(account.seen_regions),
        taken_out=dict(account.taken_out),
    )


def swept_by(account: Account) -> Policy | None:
    """Return the policy that the last sweep went by; None where it was not kept, or is not readable."""
    policy = policy_from(account.swept_policy or account.accepted_policy)
    return policy if policy and policy.version == account.policy_version else None


@lru_cache(maxsize=4)
def policy_from(document: str) -> Policy | None:
    """Read a policy that the ledger kept; None for none, and for one of another release.

    A release that reads another document than the one before begins with the policy of the day.
    """
    if not document:
        return None
    try:
        return Policy.model_validate_json(document)
    except ValidationError:
        return None
