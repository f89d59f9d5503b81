"""Listening: read who hears the topic before anything is told, and keep it in the ledger.

A notice counts as delivered only where a subscription lets it through. Whoever queues notices
looks once, so that whoever sends them need not; the journal has what was found.
"""

from collections.abc import Iterator
from datetime import datetime

from msgspec.structs import replace

from janitor.application.ports import Ledger, Topic
from janitor.domain.errors import Conflict
from janitor.domain.journal.events import JANITOR_TARGET, Actor, Draft, entry
from janitor.domain.lease.owners import clean
from janitor.domain.model import ACCOUNT_KEY, Audience, Outcome, Status, Subscription
from janitor.domain.notification.topic_reach import joined
from janitor.domain.planning.decisions import Reason

LISTEN = "listen"
AUDIENCE = "audience"
TRIES = 5
MOST_NAMED = 20
LONGEST = 200
"""Letters of a filter in the journal; the account's record has it whole."""


def look_who_hears(
    topic: Topic, *, ledger: Ledger, now: datetime, actor: Actor, policy_version: str
) -> Iterator[Outcome]:
    """Read the topic once and record what has changed; yield what is wrong with it.

    Raises `Conflict`, or what the ledger raises, where it could not be recorded.
    """
    read = topic.audience(now)
    if read.problem:
        yield Outcome(ACCOUNT_KEY, AUDIENCE, Status.FAILED, _sentence(read))
    for _ in range(TRIES):
        account = ledger.account()
        audience = joined(account.audience, read)
        if audience is account.audience:
            return
        draft = Draft(
            now,
            actor,
            "audience.read",
            JANITOR_TARGET,
            Reason(_sentence(audience), _facts(audience)),
            "failed" if audience.problem else "ok",
            policy_version=policy_version,
        )
        try:
            ledger.commit(entry(account, replace(account, audience=audience), draft))
        except Conflict:
            continue  # somebody else wrote the account's record
        return
    raise Conflict("the account's record changed too often to keep who hears the topic")


def _sentence(audience: Audience) -> str:
    if audience.problem:
        return f"who hears the topic {audience.topic} cannot be read: {clean(audience.problem)}"
    count = len(audience.subscriptions) + audience.left_out
    deaf = sum(bool(one.problem) for one in audience.subscriptions) + audience.left_out
    return f"the topic has {count} subscriptions, of which {deaf} count for nobody"


def _facts(audience: Audience) -> dict[str, str]:
    some = audience.subscriptions[:MOST_NAMED]
    return {
        "topic": audience.topic,
        **{f"{one.protocol} {one.subscription_id}": _counts_for(one) for one in some},
    }


def _counts_for(one: Subscription) -> str:
    return clean(one.problem or one.filter or "everybody")[:LONGEST]
