"""What happens to the sweep itself: mode changes, refused regions, the breaker."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from janitor.adapters.ports import Ledger
from janitor.core.decisions import Reason
from janitor.core.journal import JANITOR_TARGET, Actor, Draft, entry
from janitor.core.model import ACCOUNT_KEY, BREAKER, OPERATORS, REGION, Account, Outcome, Status
from janitor.core.notices import matters_of
from janitor.core.plan import BREAKER_LIFT, Plan
from janitor.core.policy import Policy
from janitor.core.requests import NoticeItem, NoticeRequest
from janitor.journeys.leases import Applying

Note = tuple[str, str, str]
"""Action, sentence, result."""


def record_sweep(account: Account, applying: Applying) -> Iterable[Outcome]:
    """Journal what changed for the account as a whole; an unchanged sweep writes nothing.

    Operators are told once of a breaker that tripped and of a region that is refused: it is
    asked for at every sweep until it was delivered.
    """
    plan = applying.plan
    changed, notes = _changes(account, plan, applying.policy)
    if notes:
        drafts = _drafts(notes, applying.actor, plan.now, applying.policy)
        applying.ledger.commit(entry(account, changed, *drafts))
    for item in _items(plan):
        if plan.mode.notifies and item.about not in changed.told:
            applying.queue.notify(NoticeRequest(OPERATORS, (item,)))
    for action, text, _ in notes:
        yield Outcome(ACCOUNT_KEY, action, Status.DONE, text)


def _items(plan: Plan) -> Iterable[NoticeItem]:
    """Yield what operators have to know of the account as a whole, as this sweep found it."""
    if plan.tripped:
        yield NoticeItem(ACCOUNT_KEY, BREAKER, None, plan.tripped)
    for region, error in plan.regions:
        if error:
            yield NoticeItem(ACCOUNT_KEY, REGION, None, f"{region} ({error})", region=region)


def lift_breaker(
    *, actor: Actor, reason: str, now: datetime, policy: Policy, ledger: Ledger
) -> Account:
    """Record an operator's acknowledgement: for a day, many due stacks stop nothing."""
    account = ledger.account()
    changed = replace(account, breaker_lifted_until=now + BREAKER_LIFT)
    note = ("breaker.lifted", reason or "lifted, no reason given", "ok")
    written = entry(account, changed, *_drafts([note], actor, now, policy))
    ledger.commit(written)
    return written.record


def _drafts(notes: Iterable[Note], actor: Actor, now: datetime, policy: Policy) -> list[Draft]:
    return [
        Draft(now, actor, action, JANITOR_TARGET, Reason(text), result, (), policy.version)
        for action, text, result in notes
    ]


def _changes(account: Account, plan: Plan, policy: Policy) -> tuple[Account, list[Note]]:
    notes: list[Note] = []
    changed = account
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
    if plan.tripped and not account.breaker_tripped_at:
        notes.append(("breaker.tripped", f"nothing is deleted: {plan.tripped}", "refused"))
        changed = replace(changed, breaker_tripped_at=plan.now)
    elif account.breaker_tripped_at and not plan.tripped:
        notes.append(("breaker.cleared", "deletions go on", "ok"))
        changed = replace(changed, breaker_tripped_at=None)
    told = tuple(one for one in changed.told if one in matters_of(changed))
    return replace(changed, told=told), notes
