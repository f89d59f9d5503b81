"""What somebody meant to keep stays, however they wrote it, and hears of it; the rest goes.

Each row of the tables was met in the field, and stands for its kind.
"""

from collections.abc import Mapping

import pytest
from tests.application.stories import DAY, POLICY, Story

from janitor.application.operations.explain import explain
from janitor.application.operations.unmanage import unmanage
from janitor.domain.errors import JanitorError
from janitor.domain.journal.events import Actor
from janitor.domain.model import LeaseState, Mode
from janitor.domain.planning.conditions import Kind, Who
from janitor.domain.planning.decisions import decision_name
from janitor.domain.planning.exemptions import exemptions

OWNER = {"owner": "ana@example.com"}
NAMED = POLICY + "rules: [{name: feat, select: {name: 'feat*'}, ttl: 7d}]\n"
OPERATOR = Actor("operator", "olga", "cli")


def passing(story: Story, days: int) -> None:
    """Let days pass with a sweep every six hours; what is asked to go is gone by the next."""
    for _ in range(days * 4):
        story.sweep()
        for stack in list(story.stacks.stacks.values()):
            if stack.status == "DELETE_IN_PROGRESS":
                story.stacks.finish(stack.stack_id)
        story.wait(hours=6)
    story.sweep()


def is_gone(story: Story, stack_id: str) -> bool:
    """Tell whether CloudFormation has deleted it."""
    return story.stack(stack_id).status == "DELETE_COMPLETE"


def told(story: Story, stage: str) -> list[str]:
    """Return what notices of this stage say, in order."""
    return [
        entry.text
        for message in story.channel.sent
        for entry in message.words.entries
        if entry.stage == stage and message.contact.address != "operators"
    ]


@pytest.mark.parametrize(
    "tags, says",
    [
        ({"janitor:protected": "true"}, "janitor:protect is"),
        ({"Janitor:Protect": "true", "janitor:ttl": "1d"}, "janitor:protect is"),
        ({"janitor:TTL": "30d"}, "janitor:ttl is"),
        ({"janitor-ttl": "30d"}, "janitor:ttl is"),
        ({"janitor:expire": "2027-01-01"}, "janitor:expires is"),
        ({"janitor:ttl": "30"}, "for instance 30d"),
        ({"janitor:ttl": "forever"}, "the word for no end is never"),
    ],
    ids=lambda value: (
        next(iter(value)) + "=" + value[next(iter(value))] if isinstance(value, dict) else ""
    ),
)
@pytest.mark.parametrize("policy", [NAMED, POLICY], ids=["by name", "default"])
def test_who_wrote_it_nearly_right_keeps_the_stack_and_is_told_every_week(
    tags: Mapping[str, str], says: str, policy: str
) -> None:
    """As a stack of a rule and as none.

    Fails with `None` in the place of `policy.nearly` in domain/policy/selection.py, without the look at
    `near_misses` in `_seen` of domain/lease/refresh.py, and without `TOLD_AGAIN` there (told once).
    """
    story = Story(policy)
    stack_id = story.deploy(tags={**OWNER, **tags})
    passing(story, 17)
    assert story.lease(stack_id).state is LeaseState.ACTIVE
    assert not is_gone(story, stack_id)
    notices = [" ".join(text.split()) for text in told(story, "problem")]
    assert len(notices) == 3
    assert all(says in text for text in notices)
    counts = exemptions(story.janitor.plan().plan.decisions)
    assert counts == {"with tags that cannot be read": 1}


@pytest.mark.parametrize("key", ["DoNotDelete", "do-not-delete", "donotdelete"])
def test_do_not_delete_protects_and_its_owner_is_told_once_what_it_does(key: str) -> None:
    """Fails without `_about_tags` in domain/notification/pending.py."""
    story = Story(NAMED)
    stack_id = story.deploy(tags={**OWNER, key: "true"})
    passing(story, 17)
    assert not is_gone(story, stack_id)
    (notice,) = told(story, "kept")
    assert f"protected by tag {key}: true" in notice
    assert exemptions(story.janitor.plan().plan.decisions) == {"protected by a tag": 1}


def test_a_tag_that_looks_like_a_lifetime_and_is_not_read_is_named_wherever_somebody_looks() -> (
    None
):
    """Fails without `unread` in `_seen` of domain/lease/refresh.py."""
    story = Story(NAMED)
    stack_id = story.deploy(tags={**OWNER, "expires": "2027-06-30"})
    text = "its tag expires is not read: janitor:ttl and janitor:expires are"
    assert text in str(story.janitor.plan().plan.decisions[0].reason)
    passing(story, 6)
    assert text in str(story.janitor.plan().plan.decisions[0].reason)
    first = " ".join(told(story, "48h")[0].split())
    assert "Its tag expires is not read: janitor:ttl and janitor:expires are." in first
    passing(story, 4)
    assert is_gone(story, stack_id)


def test_a_policy_may_name_other_keys() -> None:
    """As `ttl`."""
    story = Story(POLICY + "defaults: {ttl_tags: [janitor:ttl, ttl]}\n")
    stack_id = story.deploy(tags={**OWNER, "ttl": "72h"})
    story.sweep()
    assert story.lease(stack_id).expires_at == story.now + 3 * DAY


def test_a_stack_that_was_there_before_is_told_first_and_keeps_its_days() -> None:
    """The days count from the delivery of the notice.

    Fails with `is_adopted=False` in `_new` of domain/planning/decide.py (marked at once), and with
    `or told is None` added to `is_met` of `adopted` in domain/planning/conditions.py.
    """
    story = Story(NAMED)
    stack_id = story.deploy(tags=OWNER)
    story.wait(60)
    story.sweep()
    assert story.lease(stack_id).adopted_at == story.now
    story.wait(hours=1)
    story.sweep()
    at = story.now
    (notice,) = told(story, "adopted")
    for said in (
        "This stack was here before",
        "janitor:protect",
        "janitor:expires",
        "To keep it: http",
    ):
        assert said in " ".join(notice.split())
    (decision,) = story.janitor.plan().plan.decisions
    assert decision_name(decision) == "wait"
    assert decision.unmet is not None
    assert (decision.unmet.kind, decision.unmet.until) == (Kind.ADOPTED, at + 3 * DAY)
    story.wait(days=3, seconds=-1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.ACTIVE
    story.wait(seconds=1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED
    story.wait(1)
    story.sweep()
    story.stacks.finish(stack_id)
    assert is_gone(story, stack_id)
    assert len(told(story, "adopted")) == 1


def test_a_date_on_an_old_stack_holds_since_caps_count_from_its_adoption() -> None:
    """Fails with `lease.created` for `caps_count_from(lease)` in `_seen` of domain/lease/refresh.py."""
    story = Story()
    stack_id = story.deploy(tags=OWNER)
    story.wait(60)
    wanted = story.now + 14 * DAY
    story.stacks.redeploy(stack_id, {**OWNER, "janitor:expires": f"{wanted:%Y-%m-%dT%H:%M:%SZ}"})
    passing(story, 13)
    assert story.lease(stack_id).expires_at == wanted
    assert len(told(story, "24h")) == 1
    story.extend(stack_id, by=DAY)
    assert story.lease(stack_id).expires_at == wanted + DAY


def test_a_young_stack_is_not_adopted() -> None:
    """It is told, has its grace, and goes."""
    story = Story()
    stack_id = story.deploy(tags={**OWNER, "janitor:ttl": "1d"})
    story.wait(2)
    story.sweep()
    story.wait(hours=1)
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED
    assert told(story, "adopted") == []


@pytest.mark.parametrize("policy", [POLICY, NAMED], ids=["default", "by name"])
def test_a_deployment_that_drops_the_tags_ends_no_lease_and_its_owner_is_told(policy: str) -> None:
    """Fails with `Standing(stack)` for what `as_it_stood` returns at its end."""
    story = Story(policy)
    stack_id = story.deploy(tags={**OWNER, "janitor:ttl": "5d"})
    story.sweep()
    before = story.lease(stack_id)
    story.wait(1)
    story.stacks.redeploy(stack_id, {"team": "web"})
    story.sweep()
    lease = story.lease(stack_id)
    kept = (lease.state, lease.expires_at, lease.contacts, lease.generation)
    assert kept == (LeaseState.ACTIVE, before.expires_at, before.contacts, before.generation)
    (notice,) = told(story, "tags-dropped")
    for said in (
        "stay as they were",
        "--tags",
        "janitor:protect",
        f"janitor unmanage {stack_id} --reason",
    ):
        assert said in " ".join(notice.split())
    passing(story, 6)
    assert is_gone(story, stack_id)
    assert len(told(story, "tags-dropped")) == 1


def test_protection_that_is_dropped_with_all_else_holds_and_alone_does_not() -> None:
    """Fails without `_keeping(remembered, policy)` in domain/lease/dropped_tags.py."""
    story = Story()
    tags = {**OWNER, "janitor:ttl": "3d", "janitor:protect": "demo"}
    dropped, taken = story.deploy("dropped", tags=tags), story.deploy("taken", tags=tags)
    story.sweep()
    story.wait(hours=1)
    story.stacks.redeploy(dropped, {})
    story.stacks.redeploy(taken, {**OWNER, "janitor:ttl": "3d"})
    passing(story, 8)
    assert (is_gone(story, dropped), is_gone(story, taken)) == (False, True)


def test_a_pipeline_that_drops_the_tags_every_other_time_is_told_of_once_a_week() -> None:
    """Fails with all `lease.contacts` in `_about_tags`, and without `_is_outdated`."""
    story = Story()
    tags = {**OWNER, "janitor:expires": "2026-06-28"}
    stack_id = story.deploy(tags=tags)
    for turn in range(4 * 14):
        story.sweep()
        story.stacks.redeploy(stack_id, tags if turn % 2 else {})
        story.wait(hours=6)
    assert len(told(story, "tags-dropped")) == 2
    notices = story.lease(stack_id).notices
    assert len([one for one in notices if one.stage == "tags-dropped"]) == 1


def test_tags_that_come_back_are_read_again() -> None:
    """What was dropped holds no longer."""
    story = Story()
    stack_id = story.deploy(tags={**OWNER, "janitor:ttl": "5d"})
    story.sweep()
    story.stacks.redeploy(stack_id, {})
    story.sweep()
    story.stacks.redeploy(stack_id, {**OWNER, "janitor:ttl": "9d"})
    story.sweep()
    lease = story.lease(stack_id)
    assert lease.tags_dropped_at is None
    assert lease.expires_at == lease.created + 9 * DAY


def test_an_edit_of_the_policy_unmanages_and_an_operator_does() -> None:
    """And nothing else does."""
    story = Story(NAMED)
    edited, taken_out = story.deploy("feat-a", tags=OWNER), story.deploy("feat-b", tags=OWNER)
    story.sweep()
    lease = story.lease(taken_out)
    out = unmanage(lease, actor=OPERATOR, reason="no feature", now=story.now, ledger=story.ledger)
    assert out.taken_out == ((taken_out, "no feature"),)
    story.sweep()
    assert story.lease(taken_out).state is LeaseState.RELEASED
    assert "taken out by an operator: no feature" in story.reason(taken_out, "lease.closed")
    for _ in range(3):
        story.sweep()
    assert story.actions(taken_out).count("lease.reopened") == 0
    assert exemptions(story.janitor.plan().plan.decisions) == {"taken out by an operator": 1}
    unmanage(lease, actor=OPERATOR, reason="it is", now=story.now, ledger=story.ledger, undo=True)
    story.wait(hours=1)
    story.sweep()
    assert story.lease(taken_out).state is LeaseState.ACTIVE
    story.set_policy(POLICY)
    story.sweep()
    assert story.lease(edited).state is LeaseState.RELEASED


@pytest.mark.parametrize("asked", ["account", "lease", "describe", "snapshot"])
def test_a_stack_that_is_taken_out_while_its_deletion_is_decided_stays(asked: str) -> None:
    """Whatever the deletion had read by then.

    Fails without `_outrun` in application/operations/unmanage.py, and where application/deletion/delete.py reads the account
    before the lease.
    """
    story = Story()
    stack_id = story.until_marked()
    story.wait(1)
    story.look()
    port = story.stacks if asked in ("describe", "snapshot") else story.ledger
    plain = type(port)

    def act(self: object, *asked_of: object) -> object:
        found = getattr(plain, asked)(self, *asked_of)
        port.__class__ = plain
        lease = story.lease(stack_id)
        unmanage(lease, actor=OPERATOR, reason="ours", now=story.now, ledger=story.ledger)
        return found

    port.__class__ = type("Meanwhile", (plain,), {asked: act})
    story.janitor.drain()
    assert port.__class__ is plain
    assert story.calls("delete") == []
    for _ in range(2):
        story.sweep()
    assert story.lease(stack_id).state is LeaseState.RELEASED


@pytest.mark.parametrize("reason", ["", " \u200b"])
def test_a_stack_is_taken_out_for_a_reason_only(reason: str) -> None:
    """The journal wants one."""
    story = Story()
    stack_id = story.deploy()
    story.sweep()
    with pytest.raises(JanitorError, match="say why"):
        unmanage(
            story.lease(stack_id), actor=OPERATOR, reason=reason, now=story.now, ledger=story.ledger
        )


def test_a_new_owner_is_an_event_and_the_former_one_hears_of_the_mark_without_a_link() -> None:
    """It counts for no promise.

    Fails without `former` in `_ask_notices` of application/sweep/apply.py, and without `owners_before` in
    domain/planning/decide.py (no event).
    """
    story = Story()
    stack_id = story.deploy(tags={**OWNER, "janitor:ttl": "3d"})
    story.sweep()
    story.wait(3)
    story.stacks.redeploy(stack_id, {"owner": "bo@example.com", "janitor:ttl": "3d"})
    story.sweep()
    assert story.lease(stack_id).state is LeaseState.MARKED
    changed = story.reason(stack_id, "owner.changed")
    assert changed == "the owner was ana@example.com and is now bo@example.com"
    finals = {
        message.contact.address: message.words.entries[0]
        for message in story.channel.sent
        if "final" in message.kinds
    }
    assert finals["bo@example.com"].link
    former = finals["ana@example.com"]
    assert (former.link, former.choices, former.token, former.commands) == ("", (), "", ())
    assert "You owned it until some days ago. Owner: bo@example.com." in " ".join(
        former.text.split()
    )


def test_who_owned_it_longer_ago_hears_nothing() -> None:
    """Fails without the look at `REMEMBERED` in domain/lease/refresh.py."""
    story = Story()
    stack_id = story.deploy(tags={**OWNER, "janitor:ttl": "20d"})
    story.sweep()
    story.stacks.redeploy(stack_id, {"owner": "bo@example.com", "janitor:ttl": "20d"})
    passing(story, 21)
    assert "final" in {kind for message in story.channel.sent for kind in message.kinds}
    assert "ana@example.com" not in {
        message.contact.address for message in story.channel.sent if "final" in message.kinds
    }


def test_every_kept_stack_says_who_can_change_that() -> None:
    """Here the owner, each time."""
    story = Story(NAMED)
    story.deploy("feat-typo", tags={**OWNER, "janitor:ttl": "3x"})
    story.deploy("feat-kept", tags={**OWNER, "janitor:protect": "demo"})
    story.sweep()
    story.wait(hours=1)
    unmet = [d.unmet for d in story.janitor.plan().plan.decisions]
    assert {one.who for one in unmet if one} == {Who.OWNER}


@pytest.mark.parametrize(
    "tags, until",
    [
        ({"janitor:protected": "true"}, "its tags are put right"),
        ({"janitor:ttl": "3x"}, "its tag janitor:ttl is put right"),
    ],
)
def test_a_subject_names_no_tag_that_is_not_the_wrong_one(
    tags: Mapping[str, str], until: str
) -> None:
    """Who wrote `janitor:protected` has nothing to mend in `janitor:ttl`.

    Fails with `TTL_TAG` for all others in `_mended` of domain/notification/outcome_wording.py.
    """
    story = Story(NAMED)
    story.deploy(tags={**OWNER, **tags})
    story.sweep()
    story.wait(hours=1)
    story.sweep()
    assert f"[janitor] feat is kept until {until}" in story.subjects()


def test_a_notice_of_dropped_tags_says_when_the_stack_ends() -> None:
    """Fails without `ends` in `tags_dropped_lines` of domain/notification/outcome_wording.py."""
    story = Story()
    stack_id = story.deploy(tags={**OWNER, "janitor:ttl": "5d"})
    story.sweep()
    story.stacks.redeploy(stack_id, {})
    story.sweep()
    (notice,) = told(story, "tags-dropped")
    assert "It ends Sat 6 Jun 2026 08:00 UTC (in 5 days)." in " ".join(notice.split())


def test_an_adopted_stack_is_promised_no_deletion_where_none_is_made() -> None:
    """Fails without the look at the mode in `_adopted` of domain/notification/wording.py."""
    story = Story(NAMED, Mode.NOTIFY)
    story.deploy(tags=OWNER)
    story.wait(60)
    story.sweep()
    story.wait(hours=1)
    story.sweep()
    (notice,) = told(story, "adopted")
    text = " ".join(notice.split())
    assert "Deletions are switched off at present. Once they are on: it will be deleted" in text


def test_explain_and_plan_agree_on_a_locked_stack_that_was_never_seen_before() -> None:
    """Fails without `Open` in `explain` of application/operations/explain.py."""
    story = Story(NAMED)
    story.deploy(tags=OWNER, termination_protection=True)
    plan, policy = story.janitor.plan().plan, story.policies.policy()
    found = explain("feat", None, plan=plan, policy=policy, stacks=story.stacks)
    assert [decision_name(found.decision)] == [decision_name(d) for d in plan.decisions] == ["open"]
    assert found.deleted.startswith("not as things stand (protected by CloudFormation's")


@pytest.mark.parametrize("right", ["janitor:ttl", "janitor:expires"])
def test_a_key_that_was_put_right_is_not_held_against_a_stack_that_lost_its_owner_by_that(
    right: str,
) -> None:
    """What was nearly right is no tag that a deployment dropped.

    Fails without `_mended` in domain/lease/dropped_tags.py.
    """
    story = Story()
    stack_id = story.deploy(tags={**OWNER, "janitor-ttl": "5d"})
    story.sweep()
    story.wait(hours=1)
    value = {"janitor:ttl": "2d", "janitor:expires": "2026-06-03"}[right]
    story.stacks.redeploy(stack_id, {right: value})
    story.sweep()
    lease = story.lease(stack_id)
    assert (lease.problem, lease.contacts[0].address) == ("", "ana@example.com")
    passing(story, 5)
    assert is_gone(story, stack_id)
