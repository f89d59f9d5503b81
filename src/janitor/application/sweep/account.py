"""What happens to the sweep itself: mode changes, refused regions, what is held."""

import os
from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from janitor.application.sweep.apply import Applying
from janitor.domain.journal.events import JANITOR_TARGET, Actor, Draft, entry
from janitor.domain.model import (
    ACCOUNT_KEY,
    BREAKER,
    OPERATORS,
    REGION,
    Account,
    Hold,
    MoveCause,
    Outcome,
    Status,
)
from janitor.domain.notification.messages import NoticeItem, NoticeRequest
from janitor.domain.notification.pending import matters_of
from janitor.domain.planning.accepted_policy import policy_from
from janitor.domain.planning.decisions import Reason
from janitor.domain.planning.plan import Plan
from janitor.domain.planning.surprise_wording import surprise_text
from janitor.domain.policy.model import Policy

Note = tuple[str, str, str]
"""Action, sentence, result."""


def record_sweep(account: Account, applying: Applying) -> Iterable[Outcome]:
    """Journal what changed for the account as a whole; an unchanged sweep writes nothing.

    Operators are told once of a breaker that tripped and of a region that is refused: it is
    asked for at every sweep until it was delivered.
    """
    plan = applying.plan
    changed, notes = _changes(account, plan, applying.policy)
    if changed.taken_out != account.taken_out:
        text = "a stack that an operator took out is gone, and needs no entry any more"
        notes.append(("stack.forgotten", text, "ok"))
    if changed != account and not notes:
        notes = [("regions.listed", "regions were listed in full", "ok")]
    if notes:
        drafts = _drafts(notes, applying.actor, plan.now, applying.policy)
        applying.ledger.commit(entry(account, changed, *drafts))
    for item in _items(plan, changed):
        if plan.mode.notifies and item.about not in changed.told:
            applying.queue.notify(NoticeRequest(OPERATORS, (item,)))
    for action, text, _ in notes:
        yield Outcome(ACCOUNT_KEY, action, Status.DONE, text)


def _items(plan: Plan, account: Account) -> Iterable[NoticeItem]:
    """Yield what operators have to know of the account as a whole, as this sweep found it."""
    if account.hold:
        yield NoticeItem(ACCOUNT_KEY, BREAKER, None, account.hold.text)
    for region, error in plan.regions:
        if error:
            yield NoticeItem(ACCOUNT_KEY, REGION, None, f"{region} ({error})", region=region)


def _drafts(notes: Iterable[Note], actor: Actor, now: datetime, policy: Policy) -> list[Draft]:
    return [
        Draft(now, actor, action, JANITOR_TARGET, Reason(text), result, (), policy.version)
        for action, text, result in notes
    ]


def _changes(account: Account, plan: Plan, policy: Policy) -> tuple[Account, list[Note]]:
    notes: list[Note] = []
    # It goes with the first note there is, which every account begins with.
    changed = replace(account, evidence_key=account.evidence_key or os.urandom(32).hex())
    if account.mode is not plan.mode:
        was = f", was {account.mode.value}" if account.mode else ""
        notes.append(("mode.changed", f"mode is {plan.mode.value}{was}", "ok"))
        changed = replace(changed, mode=plan.mode)
    if account.policy_version != policy.version:
        notes.append(("policy.changed", f"the policy is version {policy.version}", "ok"))
        changed = replace(changed, policy_version=policy.version)
    refused = {region: error for region, error in plan.regions if error}
    before = set(account.refused_regions)
    unseen = before - {region for region, _ in plan.regions}
    notes += [
        ("region.refused", f"{region} left alone: {refused[region]}", "failed")
        for region in sorted(refused.keys() - before)
    ]
    notes += [
        ("region.listed", f"{region} is no longer refused", "ok")
        for region in sorted(before - unseen - refused.keys())
    ]
    changed = replace(changed, refused_regions=tuple(sorted({*refused, *unseen})))
    changed, about_hold = _with_hold(changed, plan, policy)
    changed = replace(
        changed, seen_regions=plan.seen_regions, taken_out=_still_there(changed, plan)
    )
    told = tuple(one for one in changed.told if one in matters_of(changed))
    is_kept = changed.accepted_policy == policy.document
    changed = replace(changed, swept_policy="" if is_kept else policy.document)
    return replace(changed, told=told), [*notes, *about_hold]


def _with_hold(account: Account, plan: Plan, policy: Policy) -> tuple[Account, list[Note]]:
    """Keep what is held, and which policy is the accepted one."""
    account, notes = _with_accepted(account, plan, policy)
    surprise, hold = plan.surprise, account.hold
    if surprise is None or not (hold or surprise.is_large):
        cleared = [("breaker.cleared", "nothing is held any more", "ok")] if hold else []
        return replace(account, hold=None), [*notes, *cleared]
    is_by_tags = bool(surprise.of(MoveCause.TAGS))
    if hold and hold.policy_version == surprise.policy_version and hold.is_by_tags >= is_by_tags:
        return account, notes
    held = Hold(plan.now, surprise_text(surprise), surprise.policy_version, is_by_tags)
    told = tuple(one for one in account.told if one != BREAKER)
    notes.append(("breaker.tripped", held.text, "refused"))
    return replace(account, hold=held, told=told), notes


def _with_accepted(account: Account, plan: Plan, policy: Policy) -> tuple[Account, list[Note]]:
    """Accept a policy that surprises nobody; forget the one before once all was swept by this one."""
    if plan.ground.accepted is not None:
        if plan.ground.is_policy_held or not plan.is_whole:
            return account, []
        text = f"policy {policy.version} is accepted: it brings too little forward to be held"
        before = account.accepted_policy
        account = replace(account, accepted_policy=policy.document, previous_policy=before)
        return account, [("policy.accepted", text, "ok")]
    if policy_from(account.accepted_policy) is None:
        text = f"policy {policy.version} is accepted: none was before, or none that can be read"
        return replace(account, accepted_policy=policy.document), [("policy.accepted", text, "ok")]
    # A sweep that is cut off leaves some to the next, which must still know what was accepted.
    is_settled = plan.is_whole and not plan.is_moving
    if is_settled and (account.previous_policy or account.accepted_moves):
        text = "every region was swept by the accepted policy and tags"
        account = replace(account, previous_policy="", accepted_moves=())
        return account, [("policy.settled", text, "ok")]
    return account, []


def _still_there(account: Account, plan: Plan) -> tuple[tuple[str, str], ...]:
    """Return what operators took out, but for stacks that are gone."""
    if plan.unread:
        return account.taken_out  # One of these may be what cannot be read.
    there = {d.stack.stack_id for d in plan.decisions if d.stack}
    listed = {region for region, error in plan.regions if not error}
    return tuple(
        (stack_id, why)
        for stack_id, why in account.taken_out
        if stack_id in there or stack_id.split(":")[3] not in listed
    )
