"""The words of the design as types: stacks, leases, contacts, notices and decisions.

Instants are aware UTC datetimes. A deadline of None means "never".
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct, field

TTL_TAG = "janitor:ttl"
EXPIRES_TAG = "janitor:expires"
PROTECT_TAG = "janitor:protect"
SELF_TAG = "janitor:self"
PURGE_TAG = "janitor:purge"
STATE_TAG = "janitor:state"
DELETE_AFTER_TAG = "janitor:delete-after"
MARKED_VALUE = "marked-for-deletion"
ACCOUNT_KEY = "janitor"
"""The key of the janitor's own record and of its own journal chain."""

FINAL = "final"
PROBLEM = "problem"
DELETED = "deleted"
ATTENTION = "attention"
BREAKER = "breaker"
REGION = "region"
IN_USE = "in-use"
PROTECTED = "protected"
STUCK = "stuck"
FAILED_RUNG = "failed-"
"""Begins the stage of a failed attempt; the rung of the ladder follows: `failed-purge`."""
UNREACHABLE = "unreachable"
SETTLED = "settled"
ADOPTED = "adopted"
TAGS_DROPPED = "tags-dropped"
KEPT = "kept"
TAGS_STUCK = "tags-stuck"
"""Notice stages besides the reminders, whose stage is their lead time (`48h`).

`unreachable` is for operators, once for a stack and deadline; its detail is the owner's
address. `settled` is never sent of its own: so a stack is shown in an earlier notice from
when nothing more is to be done about it there. `adopted`, `tags-dropped`,
`kept` and `tags-stuck` are about the stack, whatever its deadline is.
"""
OF_NO_DEADLINE = frozenset({ADOPTED, TAGS_DROPPED, KEPT, TAGS_STUCK})
"""Such a notice stays delivered when the deadline moves."""

Instant = Annotated[datetime, Meta(tz=True)]
"""An instant in what is stored or queued: one without a zone is refused when it is read."""


class Mode(StrEnum):
    """How far a sweep may go."""

    OFF = "off"
    OBSERVE = "observe"
    NOTIFY = "notify"
    ENFORCE = "enforce"

    @property
    def notifies(self) -> bool:
        """Tell whether notices, marks and tags are allowed."""
        return self in (Mode.NOTIFY, Mode.ENFORCE)


class LeaseState(StrEnum):
    """Where a lease is in its life."""

    ACTIVE = "active"
    MARKED = "marked"
    DELETING = "deleting"
    FAILED = "failed"
    NEEDS_ATTENTION = "needs_attention"
    DELETED = "deleted"
    GONE = "gone"
    RELEASED = "released"

    @property
    def is_open(self) -> bool:
        """Tell whether a sweep still has to look at the lease."""
        return self not in (LeaseState.DELETED, LeaseState.GONE, LeaseState.RELEASED)


class ContactKind(StrEnum):
    """By which kind of address an owner is reached."""

    EMAIL = "email"
    SLACK_USER = "slack_user"
    SLACK_CHANNEL = "slack_channel"
    NAME = "name"
    OPERATORS = "operators"


class Contact(Struct, frozen=True, order=True):
    """Where an owner is reached. The address comes from a tag: hostile text."""

    kind: ContactKind
    address: str


OPERATORS = Contact(ContactKind.OPERATORS, "operators")


class Stack(Struct, frozen=True):
    """A CloudFormation stack as one API answer showed it."""

    stack_id: str
    name: str
    region: str
    status: str
    created: datetime
    updated: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    status_reason: str = ""
    parent_id: str | None = None
    termination_protection: bool = False
    """Reliable only when the stack was described by its id."""
    exports: tuple[str, ...] = ()
    """As a sweep sees a root, what its nested stacks export too."""
    nested: tuple[str, ...] = ()
    """Names of all stacks that go with it, however deep they are nested; only as a sweep sees a root."""
    companion: str = ""
    """The id of the stack that SAM made beside it; only as a sweep sees it, as is `companion_of`."""
    companion_of: str = ""
    """The name of the stack beside which SAM made it."""
    reads_ssm: bool = False
    """An update would read parameters of it anew from SSM, or as a sweep sees a root, of its family."""
    resolves: str = ""
    """A dynamic reference that is the value of a parameter, of it or of its family."""
    role: str = ""
    """The role with which CloudFormation acts on it; empty: the caller's own rights."""
    toolkit: str = ""
    """Which tool deploys other stacks by it, as `domain.stack.toolkits` tells by its outputs."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Only when the stack was described by its id, as is `drift`."""
    drift: str = ""


class Notice(Struct, frozen=True, omit_defaults=True):
    """A delivered notice, with the deadline that it spoke of."""

    stage: str
    deadline: Instant | None
    contact: Contact
    delivered_at: Instant
    channel: str
    detail: str = ""
    """What it was about where a stage has several: the problem, or who is unreachable."""
    message_id: str = ""
    """The channel's id for the message, by which it can be revised."""
    recipient: str = ""
    """Whom the channel found behind the contact: a Slack user, who may then act in Slack."""
    beside: tuple[str, ...] = ()
    """The other stacks in the same message, for revising it."""
    instead: Contact | None = None
    """Who got it in the contact's place, where the contact cannot be reached."""


class MoveCause(StrEnum):
    """By what a deadline would come earlier."""

    TAGS = "tags"
    POLICY = "policy"


class Moved(Struct, frozen=True, omit_defaults=True):
    """A deadline that came earlier, or would come earlier if nobody held it."""

    cause: MoveCause
    at: Instant
    """When a sweep first saw it."""
    to: Instant
    former: Instant | None
    """The deadline before; None if there was none: protected, or without an end."""
    is_held: bool = False
    """The former deadline holds until an operator accepts the new one, or it is put back."""
    is_by_tags: bool = False
    """Its tags were held before the policy was: their former deadline outlasts that."""


class TagState(StrEnum):
    """How far a change of a stack's tags is; there is none where nothing is open or wrong."""

    PROPOSED = "proposed"
    """A change set is being made, to be looked at."""
    ASKED = "asked"
    """An update was asked for, and nobody knows yet what became of it."""
    REFUSED = "refused"
    """The tags are not changed: `why` and `detail` say why, as `domain.tagging.ways` words it."""
    ROLLED_BACK = "rolled back"
    STUCK = "stuck"
    """It left the stack in UPDATE_ROLLBACK_FAILED."""


class Tagging(Struct, frozen=True, omit_defaults=True):
    """What became of the last change of a stack's tags."""

    state: TagState
    at: Instant
    """When it came into this state, by the janitor's clock."""
    attempt: str = ""
    """Which change, upon which deployment."""
    token: str = ""
    """By which CloudFormation knows the update."""
    before: Instant | None = None
    """LastUpdatedTime before that."""
    why: str = ""
    detail: str = ""


class FormerOwner(Struct, frozen=True, omit_defaults=True):
    """Somebody whom the tags named as an owner until an instant."""

    contact: Contact
    until: Instant


class Lease(Struct, frozen=True, omit_defaults=True):
    """The janitor's record of one managed stack, and the head of its journal chain."""

    stack_id: str
    name: str
    region: str
    rule: str
    created: Instant
    first_seen: Instant
    state: LeaseState = LeaseState.ACTIVE
    expires_at: Instant | None = None
    deadline_source: str = ""
    problem: str = ""
    """Why the lifetime tags cannot be read; the stack is kept meanwhile."""
    contacts: tuple[Contact, ...] = ()
    ownerless: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    """What its tags say of where it comes from: branch, pull request, commit, cost."""
    protection: str = ""
    """What tag protects it, in words; termination protection is known only when asked."""
    protect_tag: str = ""
    """The key of that tag."""
    resources: int | None = None
    """How many resources it had when its owner was first told; None if that is unknown."""
    paced: int | None = None
    """How many of them AWS deletes one at a time; None if that is unknown."""
    generation: int = 1
    extended_until: Instant | None = None
    let_go_at: Instant | None = None
    """When the owner said that it may go; a deployment or an extension after that takes it back."""
    extensions: int = 0
    notices: tuple[Notice, ...] = ()
    delete_after: Instant | None = None
    """The promise of the final notice: no deletion before this instant."""
    promised: Instant | None = None
    """The latest such date that any final notice ever gave: no rule moves a deletion before it."""
    attempts: int = 0
    claimed_at: Instant | None = None
    next_attempt_at: Instant | None = None
    last_error: str = ""
    cause: str = ""
    """Of the last failed attempt, as `domain.deletion.causes` classes what AWS said."""
    blocked: bool = False
    """Found protected when it was about to be deleted: others go first."""
    rung: str = ""
    """Of the ladder, at the last attempt."""
    companion: str = ""
    """The id of its SAM companion, once that was to go too."""
    asked_at: Instant | None = None
    """When CloudFormation took the present attempt; None until it did."""
    half_deleted: bool = False
    """It had failed to go already when the present attempt was claimed, and shows it for a while."""
    refusals: int = 0
    """Attempts in a row that came to nothing for one cause, and count for no rung."""
    blocker: str = ""
    """Who uses its exports and stays; in words, for the owners of both."""
    unprotected: bool = False
    """Its termination protection was taken off for the deletion, and is to come back if that fails."""
    retained: tuple[str, ...] = ()
    """What the deletion was asked to leave behind, or leaves a snapshot of."""
    leftovers: tuple[str, ...] = ()
    """What stayed after the stack had gone."""
    tags: tuple[tuple[str, str], ...] = ()
    """The tags that count, as they stood: a deployment that drops them all ends no lease."""
    tags_dropped_at: Instant | None = None
    """Since when the stack lacks tags that still hold."""
    unread: tuple[str, ...] = ()
    """Keys of its tags that look like a lifetime and are none that the policy reads."""
    unknown_purge: tuple[str, ...] = ()
    """Words in its tag `janitor:purge` that opt into nothing."""
    adopted_at: Instant | None = None
    """When it was first seen, if it was old by then or a policy edit took it in."""
    moved: Moved | None = None
    """The last move of the deadline to an earlier one that may be part of a surprise."""
    former_owners: tuple[FormerOwner, ...] = ()
    """Who owned it in the last seven days; they hear of the mark too."""
    deployed_at: Instant | None = None
    own_update: Instant | None = None
    """LastUpdatedTime of the janitor's own last tag update: not a deployment."""
    tag_attempt: str = ""
    """Which tags were last tried, upon which deployment: a refusal is not repeated."""
    tagging: Tagging | None = None
    closed_at: Instant | None = None
    updated_at: Instant | None = None
    version: int = 0
    seq: int = 0
    head: str = ""

    @property
    def key(self) -> str:
        """Return the key of the record and of its chain."""
        return self.stack_id


class Hold(Struct, frozen=True, omit_defaults=True):
    """A surprise: what a policy edit or tags in bulk would bring forward, and is held."""

    since: Instant
    text: str
    """What is held, why, and what clears it."""
    policy_version: str = ""
    """Of the policy that is not accepted; empty where tags alone are the cause."""
    is_by_tags: bool = False
    """Whether operators know that tags are a cause."""


class Subscription(Struct, frozen=True, omit_defaults=True):
    """A subscription of the notices' topic, as SNS described it. Never its endpoint: that may be secret."""

    subscription_id: str
    protocol: str
    filter: str = ""
    """The filter policy as JSON; empty: it lets everything through."""
    problem: str = ""
    """Why it counts for nobody: not confirmed, unreadable, Firehose, a filter on the body."""
    former: str | None = None
    """The filter before, as long as SNS may still go by it."""
    changed_at: Instant | None = None
    """When another filter was seen first, as long as SNS may still go by the former."""


class Audience(Struct, frozen=True, omit_defaults=True):
    """Who hears the notices' topic, as a sweep that had something to tell read it last."""

    topic: str
    at: Instant
    """Since when it is as it stands here."""
    subscriptions: tuple[Subscription, ...] = ()
    problem: str = ""
    """Why it could not be read: nobody is known to hear it."""
    left_out: int = 0
    """Subscriptions beyond those that a sweep reads; they count for nobody."""


class RegionSeen(Struct, frozen=True, omit_defaults=True):
    """When a region was listed in full, now and then."""

    region: str
    at: Instant
    """Not earlier than half a day before it was listed last."""
    gaps: tuple[int, ...] = ()
    """Seconds between the last of these instants: how often it is usually listed."""
    void_before: Instant | None = None
    """Notices delivered before are void: the region had not been listed for too long."""


class Account(Struct, frozen=True, omit_defaults=True):
    """The janitor's own record, and the head of the chain of sweep-wide events."""

    mode: Mode | None = None
    policy_version: str = ""
    """Of the policy that the last sweep went by."""
    accepted_policy: str = ""
    """The policy, as JSON, that surprised nobody or was accepted by an operator."""
    swept_policy: str = ""
    """The one that the last sweep went by, where that is not the accepted one."""
    previous_policy: str = ""
    """The one accepted before, until every region was swept once by the present one."""
    hold: Hold | None = None
    """What is held at present."""
    accepted_moves: tuple[str, ...] = ()
    """Moves by tags that an operator accepted, until every region was swept once."""
    refused_regions: tuple[str, ...] = ()
    seen_regions: tuple[RegionSeen, ...] = ()
    taken_out: tuple[tuple[str, str], ...] = ()
    """Ids of stacks that an operator took out, and why."""
    told: tuple[str, ...] = ()
    """What of `notices.matters_of` the operators have been told."""
    audience: Audience | None = None
    """Who hears the topic of the notices; None where there is none, or nothing was told yet."""
    week_told: str = ""
    """The ISO week whose look back the operators were sent last: `2026-W23`."""
    evidence_key: str = ""
    """With which values of outputs are hashed for the journal; never in the journal itself."""
    updated_at: Instant | None = None
    version: int = 0
    seq: int = 0
    head: str = ""

    @property
    def key(self) -> str:
        """Return the key of the record and of its chain."""
        return ACCOUNT_KEY


class Status(StrEnum):
    """How the applying of one decision went."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


class Outcome(Struct, frozen=True):
    """What came of an intent: done, skipped for a reason, or failed with its error."""

    key: str
    action: str
    status: Status
    detail: str = ""
    retry_after: int = 0
    """Seconds after which to try again, if the other side said so."""
    bug: Exception | None = None
    """What was raised, where it is none of our own errors: with its traceback."""
