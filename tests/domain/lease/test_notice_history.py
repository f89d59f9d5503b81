"""A lease beside its stack: what is seen, who was told, which tags would mirror it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from janitor.domain.lease.notice_history import deadline_text, is_told, promise, told_at
from janitor.domain.lease.refresh import deployed_at, first_lease, refresh
from janitor.domain.model import (
    OPERATORS,
    Contact,
    ContactKind,
    Lease,
    LeaseState,
    Notice,
    Stack,
    Tagging,
    TagState,
)
from janitor.domain.planning.accepted_policy import Ground
from janitor.domain.planning.decisions import TagChange
from janitor.domain.policy.loader import parse_policy
from janitor.domain.policy.model import Policy, default_policy
from janitor.domain.tagging.status_tags import tag_change, tag_instant

POLICY = default_policy()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CREATED = datetime(2026, 6, 1, 8, tzinfo=UTC)  # a Monday
EXPIRES = CREATED + 3 * DAY
ANA = Contact(ContactKind.EMAIL, "ana@example.com")
BO = Contact(ContactKind.EMAIL, "bo@example.com")
TAGS = {"janitor:ttl": "3d", "janitor:owner": "ana@example.com"}
UPDATED_POLICY = parse_policy(
    "rules: [{name: default, select: {tag: 'janitor:ttl'}, ttl_from: updated}]", "p"
)


def a_stack(tags: dict[str, str] | None = None, **values: Any) -> Stack:
    """Make a stack of Monday that lives for three days."""
    known: dict[str, Any] = {"status": "CREATE_COMPLETE", "created": CREATED}
    return Stack(
        "arn:1", "feat", "eu-central-1", tags=TAGS if tags is None else tags, **{**known, **values}
    )


def opened(stack: Stack | None = None, policy: Policy = POLICY) -> Lease:
    """Return the lease with which a stack begins."""
    return first_lease(stack or a_stack(), policy.rules[0], policy, CREATED)


def seen(stack: Stack, lease: Lease, policy: Policy = POLICY) -> tuple[Lease, tuple[str, ...]]:
    """Look at a stack again."""
    found = refresh(stack, lease, policy.rules[0], CREATED, Ground(policy))
    return found.lease, found.changes


def notice(stage: str, deadline: datetime | None = EXPIRES, **values: Any) -> Notice:
    """Make a notice to Ana, delivered an hour after the deadline."""
    return Notice(
        stage,
        deadline,
        values.pop("contact", ANA),
        values.pop("at", EXPIRES + HOUR),
        "memory",
        **values,
    )


# Seen for the first time, and again.


def test_a_lease_begins_with_what_the_stack_says() -> None:
    """Deadline, source, owner, rule."""
    lease = opened()
    assert (lease.state, lease.generation, lease.version) == (LeaseState.ACTIVE, 1, 0)
    assert (lease.expires_at, lease.deadline_source) == (EXPIRES, "tag janitor:ttl=3d")
    assert (lease.contacts, lease.ownerless, lease.rule) == ((ANA,), False, "default")
    assert lease.first_seen == CREATED


def test_an_unchanged_stack_changes_nothing() -> None:
    """Not a field, and not a word."""
    lease = opened()
    assert seen(a_stack(), lease) == (lease, ())


def test_another_deadline_is_another_generation_and_is_told() -> None:
    """Old links are void, and the promise of the old final notice with them."""
    lease = replace(opened(), delete_after=EXPIRES + DAY, notices=(notice("final"),))
    now, changes = seen(a_stack({**TAGS, "janitor:ttl": "4d"}), lease)
    assert (now.expires_at, now.generation) == (EXPIRES + DAY, 2)
    assert (now.delete_after, now.notices) == (None, ())
    assert changes == (
        (
            "deadline moved from Thu 4 Jun 2026 08:00 UTC to"
            " Fri 5 Jun 2026 08:00 UTC (tag janitor:ttl=4d)"
        ),
    )


def test_notices_that_spoke_of_the_new_deadline_are_kept() -> None:
    """The owner put the tag back: who was told of that day is told."""
    kept = notice("24h", EXPIRES + DAY)
    lease = replace(opened(), notices=(notice("24h"), kept))
    now, _ = seen(a_stack({**TAGS, "janitor:ttl": "4d"}), lease)
    assert now.notices == (kept,)


def test_the_same_deadline_from_another_tag_is_no_new_generation() -> None:
    """What counts is when, not how it was written."""
    now, changes = seen(a_stack({**TAGS, "janitor:expires": "20260604T080000Z"}), opened())
    assert (now.generation, changes) == (1, ("its tags say the same in other words",))
    assert now.deadline_source == "tag janitor:expires=20260604T080000Z"
    assert dict(now.tags)["janitor:expires"] == "20260604T080000Z"


def test_an_extension_survives_the_loss_of_all_tags_but_the_rule() -> None:
    """A redeploy with --tags replaces every tag there was; the dropped ones hold, if remembered."""
    policy = parse_policy("rules: [{name: default, select: {name: '*'}, ttl: 1d}]", "p")
    until = CREATED + 6 * DAY
    lease = replace(opened(), extended_until=until, expires_at=until, generation=2)
    now, changes = seen(a_stack({}), lease, policy)
    assert (now.expires_at, now.deadline_source) == (until, "an extension")
    assert now.generation == 2
    dropped = "a deployment dropped its tags janitor:owner, janitor:ttl; they still hold"
    assert changes == (dropped,)
    assert (now.contacts, now.ownerless) == ((ANA,), False)
    now, changes = seen(a_stack({}), replace(lease, tags=()), policy)
    assert (now.expires_at, now.deadline_source) == (until, "an extension")
    assert now.generation == 2
    assert changes == ("owner is now operators",)
    assert (now.contacts, now.ownerless) == ((OPERATORS,), True)


def test_a_tag_later_than_the_extension_wins_over_it() -> None:
    """The later of the two, whichever it is."""
    until = CREATED + 6 * DAY
    lease = replace(opened(), extended_until=until, expires_at=until)
    now, _ = seen(a_stack({**TAGS, "janitor:ttl": "1w"}), lease)
    assert (now.expires_at, now.deadline_source) == (CREATED + 7 * DAY, "tag janitor:ttl=1w")


def test_an_extension_may_equal_the_cap_and_not_move() -> None:
    """The last extension ends at max_lifetime, and the next sweep agrees."""
    until = CREATED + 30 * DAY
    lease = replace(
        opened(), extended_until=until, expires_at=until, deadline_source="an extension"
    )
    assert seen(a_stack(), lease) == (lease, ())


def test_a_tag_that_became_unreadable_takes_the_deadline_away() -> None:
    """The stack is kept, whatever was told before."""
    now, changes = seen(a_stack({**TAGS, "janitor:ttl": "x"}), opened())
    problem = "tag janitor:ttl 'x' is not a lifetime; for instance 90m, 36h, 3d or 2w"
    assert (now.expires_at, now.problem) == (None, problem)
    assert changes == (
        f"deadline moved from Thu 4 Jun 2026 08:00 UTC to none until its tags are put right, since {problem}",
        f"kept, since {problem}",
    )
    again, changes = seen(a_stack(), now)
    assert (again.expires_at, again.problem, again.generation) == (EXPIRES, "", 3)
    assert changes[1:] == ("lifetime is readable",)


def test_another_owner_and_another_rule_are_told() -> None:
    """In words that the journal keeps."""
    policy = parse_policy("rules: [{name: other, select: {tag: 'janitor:ttl'}}]", "p")
    now, changes = seen(a_stack({**TAGS, "janitor:owner": "bo@example.com"}), opened(), policy)
    assert (now.contacts, now.rule) == ((BO,), "other")
    assert changes == (
        "owner is now bo@example.com",
        "falls under rule 'other' instead of 'default'",
    )


# Deployments.


def test_a_deployment_is_the_last_update_or_else_the_creation() -> None:
    """With a lease or without."""
    later = CREATED + HOUR
    assert deployed_at(a_stack(), None) == CREATED
    assert deployed_at(a_stack(updated=later), None) == later
    assert deployed_at(a_stack(updated=later), opened()) == later


def test_the_own_tag_update_is_no_deployment() -> None:
    """It moves LastUpdatedTime, and would give every marked stack a new life."""
    tagged = CREATED + 4 * DAY
    before = CREATED + 2 * DAY
    lease = replace(opened(), own_update=tagged, deployed_at=before)
    assert deployed_at(a_stack(updated=tagged), lease) == before
    assert deployed_at(a_stack(updated=tagged), replace(lease, deployed_at=None)) == CREATED
    assert deployed_at(a_stack(updated=tagged - HOUR), lease) == before  # an old listing
    assert deployed_at(a_stack(updated=tagged + HOUR), lease) == tagged + HOUR


def test_a_ttl_from_updated_counts_from_the_last_deployment() -> None:
    """And stays where it is when the janitor tags."""
    deployed = CREATED + DAY
    lease = opened(policy=UPDATED_POLICY)
    now, changes = seen(a_stack(updated=deployed), lease, UPDATED_POLICY)
    assert now.expires_at == deployed + 3 * DAY
    assert len(changes) == 1
    tagged = replace(now, own_update=deployed + HOUR)
    assert seen(a_stack(updated=deployed + HOUR), tagged, UPDATED_POLICY) == (tagged, ())


def test_a_ttl_from_created_does_not_care_for_deployments() -> None:
    """That is the default."""
    assert seen(a_stack(updated=CREATED + DAY), opened()) == (opened(), ())


# Who was told.


def test_a_stage_is_told_once_everybody_was() -> None:
    """The last of them counts."""
    lease = replace(opened(), contacts=(ANA, BO), notices=(notice("final"),))
    assert told_at(lease, "final") is None
    later = notice("final", contact=BO, at=EXPIRES + 5 * HOUR)
    both = replace(lease, notices=(*lease.notices, later))
    assert told_at(both, "final") == EXPIRES + 5 * HOUR
    assert told_at(both, "24h") is None


def test_a_notice_sent_twice_counts_from_the_first() -> None:
    """A duplicate does not put the deletion off."""
    twice = (notice("final", at=EXPIRES + 3 * HOUR), notice("final", at=EXPIRES + HOUR))
    assert told_at(replace(opened(), notices=twice), "final") == EXPIRES + HOUR


def test_nobody_to_tell_is_never_told() -> None:
    """So nothing is deleted in silence."""
    assert told_at(replace(opened(), contacts=(), notices=(notice("final"),)), "final") is None


def test_a_notice_of_another_deadline_or_problem_does_not_count() -> None:
    """An extension re-arms the reminders by itself."""
    other = replace(opened(), notices=(notice("24h", EXPIRES - DAY),))
    assert not is_told(other, "24h", ANA)
    bad = replace(opened(), expires_at=None, problem="x is wrong")
    about_y = notice("problem", None, detail="y is wrong")
    about_x = notice("problem", None, detail="x is wrong")
    assert not is_told(replace(bad, notices=(about_y,)), "problem", ANA)
    assert is_told(replace(bad, notices=(about_y, about_x)), "problem", ANA)


@pytest.mark.parametrize(
    "told, after",
    [
        (EXPIRES + 2 * HOUR, datetime(2026, 6, 5, 10, tzinfo=UTC)),
        (EXPIRES, datetime(2026, 6, 5, 9, tzinfo=UTC)),
        (EXPIRES + 10 * HOUR, datetime(2026, 6, 8, 9, tzinfo=UTC)),
    ],
)
def test_the_promise_is_the_grace_and_then_the_next_opening(
    told: datetime, after: datetime
) -> None:
    """On Friday at ten; or at nine, when the window opens; or on Monday."""
    assert promise(opened(), POLICY, told) == after


def test_a_promise_is_never_broken_by_a_shorter_grace() -> None:
    """What the final notice said holds."""
    promised = datetime(2026, 6, 9, 11, tzinfo=UTC)
    assert promise(replace(opened(), delete_after=promised), POLICY, EXPIRES) == promised


def test_nobody_owns_it_so_it_stands_longer() -> None:
    """72 hours, and the window."""
    lease = replace(opened(), ownerless=True)
    assert promise(lease, POLICY, EXPIRES) == datetime(2026, 6, 8, 9, tzinfo=UTC)


def test_a_deadline_is_told_with_its_source() -> None:
    """Or why there is none."""
    assert deadline_text(opened(), POLICY) == "Thu 4 Jun 2026 08:00 UTC (tag janitor:ttl=3d)"
    assert (
        deadline_text(replace(opened(), problem="x"), POLICY)
        == "none until its tags are put right, since x"
    )
    never = replace(opened(), expires_at=None, deadline_source="tag janitor:ttl=never")
    assert deadline_text(never, POLICY) == "never (tag janitor:ttl=never)"


# Tags.

AFTER = datetime(2026, 6, 5, 10, tzinfo=UTC)
MARK = {"janitor:state": "marked-for-deletion", "janitor:delete-after": "20260605T100000Z"}
MARKED = LeaseState.MARKED


def change(
    stack: Stack, lease: Lease, state: LeaseState = MARKED, policy: Policy = POLICY
) -> TagChange | None:
    """Return the change of tags two hours after the deadline."""
    return tag_change(stack, lease, state, policy, EXPIRES + 2 * HOUR)


def test_a_marked_lease_puts_both_tags() -> None:
    """With the date if everybody was told now, or the one that was promised."""
    found = change(a_stack(), opened())
    assert found
    assert (found.put, found.remove) == (MARK, ())
    promised = change(a_stack(), replace(opened(), delete_after=AFTER + HOUR))
    assert promised
    assert promised.put == {**MARK, "janitor:delete-after": "20260605T110000Z"}


def test_a_mark_that_says_something_else_is_put_right() -> None:
    """Fails if it is enough that the tag is there."""
    found = change(a_stack({**TAGS, **MARK, "janitor:state": "whatever"}), opened())
    assert found
    assert found.put == MARK


def test_tags_that_mirror_the_lease_are_left_alone() -> None:
    """No update for nothing."""
    tagged = a_stack({**TAGS, **MARK})
    assert change(tagged, replace(opened(), delete_after=AFTER)) is None


def test_the_date_is_corrected_once_the_notice_was_delivered_and_not_before() -> None:
    """A date that moves with every sweep would be an update with every sweep."""
    early = a_stack({**TAGS, **MARK, "janitor:delete-after": "20260605T090000Z"})
    assert change(early, opened()) is None
    corrected = change(early, replace(opened(), delete_after=AFTER))
    assert corrected
    assert corrected.put == {"janitor:delete-after": "20260605T100000Z"}


def test_tags_that_a_redeploy_wiped_are_written_again() -> None:
    """The lease is the truth, and that was a new deployment."""
    lease = replace(opened(), delete_after=AFTER)
    first = change(a_stack(), lease)
    assert first
    tried = replace(lease, tag_attempt=first.attempt)
    assert change(a_stack(), tried) is None
    wiped = change(a_stack(updated=EXPIRES + HOUR, status="UPDATE_COMPLETE"), tried)
    assert wiped
    assert wiped.put == MARK


def test_a_refused_change_is_not_tried_again_until_something_moves() -> None:
    """Neither the same tags on the same deployment, with another date either; but others are."""
    first = change(a_stack(), opened())
    assert first
    tried = replace(opened(), tag_attempt=first.attempt)
    assert change(a_stack(), tried) is None
    assert change(a_stack(), replace(tried, delete_after=AFTER + DAY)) is None
    assert change(a_stack({**TAGS, **MARK}), replace(tried, delete_after=AFTER + DAY)) is not None


def test_a_date_that_is_a_little_off_is_worth_no_update() -> None:
    """The mark foretells it, and a notice that is delivered minutes later moves it by them."""
    foretold = a_stack({**TAGS, **MARK})
    late = replace(opened(), delete_after=AFTER + timedelta(minutes=15))
    assert change(foretold, late) is None
    assert change(foretold, replace(late, delete_after=AFTER + timedelta(minutes=16))) is not None


@pytest.mark.parametrize("state", [TagState.ROLLED_BACK, TagState.STUCK])
def test_what_cloudformation_rolled_back_is_tried_again_after_a_deployment_alone(
    state: TagState,
) -> None:
    """Whoever ends the roll-back has not deployed the stack; nor is another change tried.

    Fails without either half of `_is_in_the_way` in domain/tagging/status_tags.py.
    """
    first = change(a_stack(), opened())
    assert first
    failed = Tagging(state, EXPIRES, attempt=first.attempt)
    tried = replace(opened(), tag_attempt=first.attempt, tagging=failed)
    back = a_stack(updated=EXPIRES + HOUR, status="UPDATE_ROLLBACK_COMPLETE")
    assert change(back, tried) is None
    assert change(a_stack(), replace(tried, tag_attempt="")) is None
    assert change(replace(back, status="UPDATE_COMPLETE"), tried) is not None
    assert change(back, opened()) is not None


def test_nothing_is_changed_while_nobody_knows_what_became_of_the_last_change() -> None:
    """A change set that is being made is gone on with."""
    asked = replace(opened(), tagging=Tagging(TagState.ASKED, EXPIRES))
    assert change(a_stack(), asked) is None
    assert change(a_stack(), replace(opened(), tagging=Tagging(TagState.PROPOSED, EXPIRES)))


@pytest.mark.parametrize("state", [LeaseState.ACTIVE, LeaseState.RELEASED])
def test_a_lease_that_is_not_marked_takes_its_tags_away(state: LeaseState) -> None:
    """Those that are there, and no others."""
    tags = {**TAGS, "janitor:delete-after": "x"}
    found = change(a_stack(tags), opened(), state)
    assert found
    assert (found.put, found.remove) == ({}, ("janitor:delete-after",))
    assert change(a_stack(), opened(), state) is None


@pytest.mark.parametrize(
    "state", [LeaseState.DELETING, LeaseState.FAILED, LeaseState.NEEDS_ATTENTION]
)
def test_a_deletion_under_way_leaves_tags_alone(state: LeaseState) -> None:
    """An update now would only be in its way."""
    assert change(a_stack({**TAGS, **MARK}), opened(), state) is None
    assert change(a_stack(), opened(), state) is None


@pytest.mark.parametrize(
    "status",
    ["ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS", "DELETE_FAILED", "REVIEW_IN_PROGRESS", "X"],
)
def test_a_status_that_takes_no_update_takes_no_tags(status: str) -> None:
    """The lease stands all the same."""
    assert change(a_stack(status=status), opened()) is None


def test_a_policy_may_switch_tagging_off() -> None:
    """For the rule that says so."""
    policy = parse_policy("defaults: {tagging: off}", "p")
    assert change(a_stack(), opened(), MARKED, policy) is None
    assert change(a_stack({**TAGS, **MARK}), opened(), LeaseState.ACTIVE, policy) is None


def test_instants_in_tags_are_what_the_janitor_itself_can_read() -> None:
    """Without characters that a tag may not hold."""
    assert tag_instant(AFTER) == "20260605T100000Z"
