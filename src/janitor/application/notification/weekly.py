"""Weekly: look back at a week, queue it in words, and send it to the operators once."""

from datetime import timedelta

from msgspec.structs import replace

from janitor.application.notification.topic_reach import look_who_hears
from janitor.application.ports import Channel, Clock, Ledger, Policies, Queue, Topic
from janitor.domain.errors import Conflict, DeliveryFailed, JanitorError
from janitor.domain.journal.events import JANITOR_TARGET, Actor, Draft, entry
from janitor.domain.model import OPERATORS, Outcome, Status
from janitor.domain.notification.commands import NOWHERE, Place
from janitor.domain.notification.digest import Wording
from janitor.domain.notification.messages import Message, WeeklyRequest
from janitor.domain.notification.weekly import week_of, weekly
from janitor.domain.notification.weekly_wording import WEEKLY, weekly_wording
from janitor.domain.planning.decisions import Reason

ACTOR = Actor("janitor", "janitor", "notify")
WEEK = timedelta(days=7)
TRIES = 5


def look_back(
    *, clock: Clock, policies: Policies, ledger: Ledger, place: Place = NOWHERE
) -> Wording:
    """Word the last seven days, from the journal, the open leases and the account's record."""
    now, policy = clock(), policies.policy()
    records = ledger.open_records()
    events = ledger.events(now - WEEK, now)
    week = weekly(events, records.leases.values(), records.account, now - WEEK, now, policy)
    return weekly_wording(week, policy.window.window.zone, place)


def queue_week(
    *,
    clock: Clock,
    policies: Policies,
    ledger: Ledger,
    queue: Queue,
    place: Place = NOWHERE,
) -> Outcome:
    """Look back, and queue it for the operators; only notify sends."""
    mode, zone = policies.mode(), policies.policy().window.window.zone
    if not mode.notifies:
        why = f"mode {mode.value} tells nobody"
        return Outcome(OPERATORS.address, WEEKLY, Status.SKIPPED, why)
    words = look_back(clock=clock, policies=policies, ledger=ledger, place=place)
    queue.notify(WeeklyRequest(OPERATORS, week_of(clock(), zone), words))
    return Outcome(OPERATORS.address, WEEKLY, Status.DONE, words.subject)


def send_week(
    request: WeeklyRequest,
    *,
    clock: Clock,
    policies: Policies,
    ledger: Ledger,
    channel: Channel,
    topic: Topic | None = None,
) -> Outcome:
    """Send it, unless this week's was sent already, and record that.

    No sweep has looked for it who hears the `topic`, so that is looked at here.

    Only a crash between sending and recording sends a week twice.
    """
    who = request.contact.address
    mode = policies.mode()
    if not mode.notifies:
        return Outcome(who, WEEKLY, Status.SKIPPED, f"mode is {mode.value} by now")
    if ledger.account().week_told >= request.week:
        return Outcome(who, WEEKLY, Status.SKIPPED, f"{request.week} was told already")
    try:
        if topic is not None:
            version = policies.policy().version
            list(
                look_who_hears(
                    topic, ledger=ledger, now=clock(), actor=ACTOR, policy_version=version
                )
            )
        account = ledger.account()
        sent = channel.send(
            Message(request.contact, request.words, (WEEKLY,), (), account.audience)
        )
    except JanitorError as error:
        after = error.retry_after if isinstance(error, DeliveryFailed) else 0
        return Outcome(who, WEEKLY, Status.FAILED, str(error), after)
    draft = Draft(
        clock(),
        ACTOR,
        "week.told",
        JANITOR_TARGET,
        Reason(f"told the operators of {request.week}", {"channel": sent.channel}),
        request_ids=(sent.message_id,),
        policy_version=policies.policy().version,
    )
    for _ in range(TRIES):
        account = ledger.account()
        try:
            ledger.commit(entry(account, replace(account, week_told=request.week), draft))
        except Conflict:
            continue  # a sweep was faster
        except JanitorError as error:
            return Outcome(who, WEEKLY, Status.DONE, f"sent, but not recorded: {error}")
        return Outcome(who, WEEKLY, Status.DONE, request.words.subject)
    why = "sent, but the record changed too often to say so there"
    return Outcome(who, WEEKLY, Status.DONE, why)
