"""Who hears a message, by what was read of a topic's subscriptions."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from janitor.domain.errors import DeliveryFailed, Undeliverable
from janitor.domain.journal.serialization import account_from, record_text
from janitor.domain.model import Account, Audience, Subscription
from janitor.domain.notification.topic_reach import SETTLES_AFTER, heard_by, joined, understood

TOPIC = "arn:aws:sns:eu-central-1:123456789012:janitor"
NOW = datetime(2026, 6, 1, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ANA = {"owner": ("ana@x.org",), "kind": ("final",)}
HERS, OPS = '{"owner": ["ana@x.org"]}', '{"owner": ["operators"]}'


def mail(policy: str = "", name: str = "1", **more: Any) -> Subscription:
    """Return a subscription by mail."""
    return Subscription(name, "email", policy, **more)


def audience(*several: Subscription, at: datetime = NOW, **more: Any) -> Audience:
    """Return what was read of a topic."""
    return Audience(TOPIC, at, several, **more)


@pytest.mark.parametrize("policy", ["", HERS, '{"owner": [{"suffix": "@x.org"}]}'])
def test_one_who_is_let_through_is_enough(policy: str) -> None:
    """A shared mailbox without a filter hears for everybody."""
    said = heard_by(audience(mail(OPS, "2"), mail(policy, "3")), TOPIC, ANA)
    assert said == "1 of 2 subscriptions: email 3"


@pytest.mark.parametrize(
    "several, why",
    [
        ((), "nobody is subscribed to the topic"),
        ((mail(OPS),), "no subscription of the topic lets it through"),
        ((mail(problem="one is not confirmed"),), "through .one is not confirmed."),
        ((understood(mail('{"owner": [{"regex": "a"}]}')),), "operator unknown here: 'regex'"),
        ((mail('{"owner": [{"regex": "a"}]}'),), "lets it through"),
    ],
)
def test_a_topic_that_nobody_hears_is_no_delivery(
    several: tuple[Subscription, ...], why: str
) -> None:
    """And it says why.

    Fails without the `raise Undeliverable` at the end of `heard_by`, and with a subscription
    that has a problem counted by `_hears`.
    """
    with pytest.raises(Undeliverable, match=why):
        heard_by(audience(*several), TOPIC, ANA)


@pytest.mark.parametrize(
    "read, why",
    [
        (None, "nobody has looked yet"),
        (replace(audience(mail()), topic=f"{TOPIC}-2"), "nobody has looked yet"),
        (audience(mail(), problem="AccessDenied"), f"sns:{TOPIC}:assume-told says so"),
    ],
)
def test_what_is_not_known_is_neither_delivered_nor_given_to_another(
    read: Audience | None, why: str
) -> None:
    """It fails for now, and the next sweep looks again."""
    with pytest.raises(DeliveryFailed, match=why):
        heard_by(read, TOPIC, ANA)


def test_a_filter_that_was_loosened_counts_once_sns_surely_goes_by_it() -> None:
    """A change takes up to a quarter of an hour; tightened it counts at once.

    Fails without `former` in `heard_by`, and with `SETTLES_AFTER` of nothing.
    """
    first = joined(None, audience(mail(OPS)))
    loose = joined(first, audience(mail(), at=NOW + MINUTE))
    with pytest.raises(DeliveryFailed, match="changed minutes ago"):
        heard_by(loose, TOPIC, ANA)
    again = joined(loose, audience(mail(), at=NOW + SETTLES_AFTER))
    assert again is loose
    settled = joined(loose, audience(mail(), at=NOW + MINUTE + SETTLES_AFTER))
    assert heard_by(settled, TOPIC, ANA)
    tight = joined(settled, audience(mail(OPS), at=NOW + 60 * MINUTE))
    with pytest.raises(Undeliverable):
        heard_by(tight, TOPIC, ANA)


def test_a_subscription_that_is_new_or_newly_confirmed_counts_at_once() -> None:
    """It had no filter before that SNS could still go by."""
    first = joined(None, audience(mail(problem="one is not confirmed")))
    second = joined(first, audience(mail(HERS), mail(HERS, "2"), at=NOW + MINUTE))
    assert heard_by(second, TOPIC, ANA).startswith("2 of 2")


def test_what_is_read_as_before_is_no_change() -> None:
    """So that a sweep that finds nothing new writes nothing; the record keeps it all."""
    first = joined(None, audience(mail(HERS), left_out=3))
    assert joined(first, audience(mail(HERS), left_out=3, at=NOW + MINUTE)) is first
    assert joined(first, audience(mail(HERS), left_out=4, at=NOW + MINUTE)) is not first
    account = Account(audience=first)
    assert account_from(record_text(account)) == account
