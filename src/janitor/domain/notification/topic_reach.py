"""Who hears a message to the notices' topic, by what a sweep read of its subscriptions."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from janitor.domain.errors import DeliveryFailed, Undeliverable
from janitor.domain.model import OPERATORS, Audience, Subscription
from janitor.domain.notification.sns_filters import Attributes, NotUnderstood, lets_through

SETTLES_AFTER = timedelta(minutes=15)
"""So long SNS may go by the former filter:
<https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html>."""
MOST_NAMED = 5
UNCONFIRMED = "one is not confirmed"
ANY_OWNER = "any.owner@example.com"
NO_CHANNEL = (
    "owners have no channel yet: what is for them goes to the operators, and waits for"
    " ownerless_grace. To give them one, let a mailbox that all of them read hear everything:"
    " aws sns subscribe --region {region} --topic-arn {topic} --protocol email"
    " --notification-endpoint team@example.com (or, for one owner, with the filter"
    ' {{"owner": ["ana@example.com"]}}), or set up Slack (docs/slack.md)'
)


def joined(before: Audience | None, read: Audience) -> Audience:
    """Return what was just read, with the filters that SNS may still go by.

    It is `before` itself where nothing has changed.
    """
    known: dict[str, Subscription] = {}
    if before is not None and before.topic == read.topic:
        known = {one.subscription_id: one for one in before.subscriptions}
    several = (_settling(known.get(o.subscription_id), o, read.at) for o in read.subscriptions)
    made = replace(read, subscriptions=tuple(several))
    return before if before is not None and replace(made, at=before.at) == before else made


def _settling(before: Subscription | None, read: Subscription, now: datetime) -> Subscription:
    if before is None or before.problem or read.problem:
        return read
    if before.filter != read.filter:
        return replace(read, former=before.filter, changed_at=now)
    changed_at = before.changed_at
    if changed_at is None or now - changed_at >= SETTLES_AFTER:
        return read
    return replace(read, former=before.former, changed_at=changed_at)


def heard_by(audience: Audience | None, topic: str, attributes: Attributes) -> str:
    """Return in words which subscriptions let a message through.

    Raises `Undeliverable` where none does, `DeliveryFailed` where that is not known for now.
    """
    if audience is None or audience.topic != topic:
        raise DeliveryFailed("nobody has looked yet who hears the topic; the next sweep does")
    if audience.problem:
        raise DeliveryFailed(
            f"who hears the topic cannot be read ({audience.problem}), so it counts for nobody;"
            f" if somebody does, --notify sns:{topic}:assume-told says so"
        )
    heard = [one for one in audience.subscriptions if _hears(one, one.filter, attributes)]
    settled = [o for o in heard if o.former is None or _hears(o, o.former, attributes)]
    if settled:
        named = ", ".join(f"{o.protocol} {o.subscription_id}" for o in settled[:MOST_NAMED])
        return f"{len(settled)} of {len(audience.subscriptions)} subscriptions: {named}"
    if heard:
        raise DeliveryFailed("a filter was changed minutes ago, and SNS may go by the former still")
    raise Undeliverable(_why_deaf(audience))


def hears(audience: Audience, owner: str) -> bool:
    """Tell whether somebody hears what is for this owner alone, whatever kind of notice it is."""
    return any(_hears(one, one.filter, {"owner": (owner,)}) for one in audience.subscriptions)


def how_owners_hear(audience: Audience, *, has_slack: bool) -> tuple[bool, str]:
    """Tell whether owners have a channel at all, in words: by Slack, or by the topic.

    Which filters are for owners is not asked of the filters: those that let nothing to the
    operators through are for somebody else.
    """
    if has_slack:
        return True, "owners hear by Slack"
    if hears(audience, ANY_OWNER):
        return True, "every owner is heard: a subscription lets all of them through"
    heard = [one for one in map(understood, audience.subscriptions) if not one.problem]
    own = [one for one in heard if not _hears(one, one.filter, {"owner": (OPERATORS.address,)})]
    if own:
        return True, f"owners hear by {len(own)} filtered subscriptions; for others operators do"
    return False, NO_CHANNEL.format(topic=audience.topic, region=audience.topic.split(":")[3])


def _why_deaf(audience: Audience) -> str:
    if not audience.subscriptions:
        return "nobody is subscribed to the topic"
    problems = sorted({one.problem for one in audience.subscriptions if one.problem})
    said = f" ({'; '.join(problems)})" if problems else ""
    return f"no subscription of the topic lets it through{said}"


def understood(read: Subscription) -> Subscription:
    """Return a subscription with what is wrong with its filter, if nobody here understands it."""
    if read.problem:
        return read
    try:
        lets_through(read.filter, {})
    except NotUnderstood as error:
        return replace(read, problem=str(error))
    return read


def _hears(one: Subscription, policy: str, attributes: Attributes) -> bool:
    if one.problem:
        return False
    try:
        return lets_through(policy, attributes)
    except NotUnderstood:
        return False
