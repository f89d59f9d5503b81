"""What people are sent, word for word."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from janitor.adapters.slack.blocks import summary_of
from janitor.domain.lease.deadlines import Unreadable, asked_deadline
from janitor.domain.lease.notice_history import LET_GO
from janitor.domain.model import OPERATORS, Contact, ContactKind, Lease, LeaseState, Mode
from janitor.domain.notification.commands import NOWHERE, Place
from janitor.domain.notification.digest import Item, Missed, Wording, without_links
from janitor.domain.notification.pending import ABOUT_AN_OUTCOME
from janitor.domain.notification.wording import digest, kept, let_go, unreachable
from janitor.domain.policy.loader import parse_policy
from janitor.domain.policy.model import default_policy
from janitor.domain.stack.labels import labels_of

POLICY = default_policy()
NOW = datetime(2026, 6, 3, 8, tzinfo=UTC)
CREATED = datetime(2026, 6, 1, 8, tzinfo=UTC)
ANA = Contact(ContactKind.EMAIL, "ana@example.com")
TEAM = Contact(ContactKind.SLACK_CHANNEL, "#team")
LINK = "https://janitor.example.com/extend/abc"


def a_lease(name: str = "feat-basket", **values: Any) -> Lease:
    """Make a lease that ends on Thursday morning."""
    known: dict[str, Any] = {
        "stack_id": f"arn:{name}",
        "name": name,
        "region": "eu-central-1",
        "rule": "default",
        "created": CREATED,
        "first_seen": CREATED,
        "expires_at": CREATED + timedelta(days=3),
        "deadline_source": "tag janitor:ttl=3d",
        "contacts": (ANA,),
    }
    return Lease(**{**known, **values})


PLACE = Place("eu-west-1", lease_table="leases-2")


def worded(
    *items: Item,
    to: Contact = ANA,
    mode: Mode = Mode.ENFORCE,
    now: datetime = NOW,
    place: Place = NOWHERE,
) -> Wording:
    """Word a digest."""
    return digest(to, items, now=now, policy=POLICY, mode=mode, place=place)


def letter(
    *items: Item, to: Contact = ANA, mode: Mode = Mode.ENFORCE, now: datetime = NOW
) -> tuple[str, str]:
    """Word a digest as subject and plain text."""
    words = worded(*items, to=to, mode=mode, now=now)
    return words.subject, words.text


WHY = "Why: tag janitor:ttl=3d; created Mon 1 Jun 2026 08:00 UTC (2 days ago)."
FOOT = (
    "\n\nIf you no longer need a stack, delete it now, or let it go by itself. None is\n"
    "deleted before a final notice has told you when."
)
TO_ANA = "To ana@example.com: this is about a temporary CloudFormation stack of yours.\n\n"


def test_a_reminder() -> None:
    """When, why, and how to keep it; what it costs is unknown where no tag says it.

    Fails with `resources: unknown`, of which there is no word, and without the cost.
    """
    assert letter(Item("24h", a_lease(), link=LINK)) == (
        "[janitor] feat-basket expires in 1 day",
        (
            f"{TO_ANA}feat-basket  (eu-central-1)\n"
            "  Expires Thu 4 Jun 2026 08:00 UTC (in 1 day); then it is marked for deletion.\n"
            f"  {WHY}\n"
            "  monthly cost: unknown.\n"
            f"  To keep it: {LINK}{FOOT}"
        ),
    )


def test_a_final_notice_says_the_date_that_will_hold() -> None:
    """The date is what the grace is about."""
    now = CREATED + timedelta(days=3, hours=2)
    after = now + timedelta(days=1)
    item = Item("final", a_lease(), delete_after=after, link=LINK)
    assert letter(item, now=now) == (
        "[janitor] feat-basket will be deleted",
        (
            f"{TO_ANA}feat-basket  (eu-central-1)\n"
            "  It will be deleted, at the earliest on Fri 5 Jun 2026 10:00 UTC (in 1 day).\n"
            "  Expired Thu 4 Jun 2026 08:00 UTC (2 hours ago).\n"
            "  Why: tag janitor:ttl=3d; created Mon 1 Jun 2026 08:00 UTC (3 days 2 hours\n"
            "    ago).\n"
            "  monthly cost: unknown.\n"
            f"  To keep it: {LINK}{FOOT}"
        ),
    )


def test_a_final_notice_does_not_threaten_where_nothing_is_deleted() -> None:
    """Mode `notify` has no deletions."""
    item = Item("final", a_lease(), delete_after=NOW + timedelta(days=1))
    assert (
        "  Deletions are switched off at present. Once they are on it will be deleted,\n"
        "    at the earliest on Thu 4 Jun 2026 08:00 UTC (in 1 day).\n"
    ) in worded(item, mode=Mode.NOTIFY).text


def test_without_a_page_the_command_is_told() -> None:
    """Ready to be copied, with what it needs."""
    offers = tuple(NOW + timedelta(days=days) for days in (2, 4, 8))
    text = worded(Item("24h", a_lease(), offers=offers), place=PLACE).text
    assert (
        "  To keep it, run:\n"
        f"    AWS_REGION=eu-west-1 janitor extend {a_lease().stack_id}"
        " --until 2026-06-07T08:00:00Z --reason 'still needed' --lease-table leases-2\n"
    ) in text
    assert text.endswith(
        "told you when. The commands need AWS\n"
        "credentials of this account with dynamodb:GetItem and PutItem on leases-2 and\n"
        "janitor-journal."
    )
    capped = worded(Item("24h", a_lease(), offers=offers[:1]), place=PLACE).text
    assert "--until 2026-06-05T08:00:00Z" in capped


def test_a_link_stands_in_the_place_of_a_command() -> None:
    """Whoever has the page needs no shell."""
    offers = (NOW + timedelta(days=4),)
    text = worded(Item("24h", a_lease(), offers=offers, link=LINK), place=PLACE).text
    assert f"  To keep it: {LINK}\n" in text
    assert "janitor extend" not in text


def test_a_name_that_a_shell_would_read_is_quoted() -> None:
    """What AWS answers is text of others."""
    lease = a_lease(stack_id="arn:x;touch /tmp/x", tags_dropped_at=NOW)
    text = worded(Item("tags-dropped", lease, NOW.isoformat()), place=PLACE).text
    assert "janitor unmanage 'arn:x;touch /tmp/x' --reason" in text
    lease = a_lease(stack_id="arn:https://evil.com", tags_dropped_at=NOW)
    assert "evil.com" not in worded(Item("tags-dropped", lease, NOW.isoformat())).text


def test_a_problem_says_what_is_wrong_and_what_is_right() -> None:
    """And that nothing is lost meanwhile."""
    problem = "tag janitor:ttl '3x': the unit is not m, h, d or w; for instance 90m, 36h, 3d or 2w"
    assert letter(Item("problem", a_lease(expires_at=None), problem)) == (
        "[janitor] feat-basket is kept until its tag janitor:ttl is put right",
        (
            f"{TO_ANA}feat-basket  (eu-central-1)\n"
            "  It is kept, but tag janitor:ttl '3x': the unit is not m, h, d or w; for\n"
            "    instance 90m, 36h, 3d or 2w.\n"
            "  Please put that right; until then nothing reminds you and nothing deletes\n"
            "    it."
        ),
    )


@pytest.mark.parametrize(
    "tags, said",
    [
        ({"janitor:ttl": "three days"}, "its tag janitor:ttl is put right"),
        ({"janitor:ttl": "never"}, "its tag janitor:ttl is put right"),
        ({"janitor:expires": "soon", "janitor:ttl": "3d"}, "its tag janitor:expires is put right"),
        ({"owner": "ana"}, "it has a tag janitor:ttl"),
    ],
)
def test_a_problem_names_the_tag_that_is_wrong(tags: dict[str, str], said: str) -> None:
    """A stack without any lifetime has none that could not be read.

    Fails with `has a lifetime that cannot be read` for each.
    """
    zone = POLICY.window.window.zone
    with pytest.raises(Unreadable) as wrong:
        asked_deadline(tags, counts_from=NOW, rule_ttl=None, allow_never=False, zone=zone)
    subject = worded(Item("problem", a_lease(expires_at=None), str(wrong.value))).subject
    assert subject == f"[janitor] feat-basket is kept until {said}"


def test_a_deletion_is_confirmed() -> None:
    """With why, and no word of what could still be done."""
    assert letter(Item("deleted", a_lease())) == (
        "[janitor] feat-basket has been deleted",
        (
            f"{TO_ANA}feat-basket  (eu-central-1)\n"
            "  It has been deleted, and CloudFormation has confirmed it.\n"
            f"  {WHY}"
        ),
    )


@pytest.mark.parametrize("attempts, text", [(1, "1 attempt"), (5, "5 attempts")])
def test_a_stack_that_will_not_go_is_handed_to_a_person(attempts: int, text: str) -> None:
    """With CloudFormation's own words, on one line and with one full stop."""
    error = "DELETE_FAILED: The following resource(s) failed to delete:\n[Bucket]. "
    assert letter(Item("attention", a_lease(attempts=attempts), error)) == (
        "[janitor] feat-basket could not be deleted",
        (
            f"{TO_ANA}feat-basket  (eu-central-1)\n"
            f"  It could not be deleted after {text}: DELETE_FAILED: The following\n"
            "    resource(s) failed to delete: [Bucket].\n"
            "  The janitor will not try again. Please delete it by hand, or ask your\n"
            "    operators."
        ),
    )


def test_operators_are_told_of_what_is_held() -> None:
    """What would come earlier, what is kept meanwhile, and what to do."""
    why = "tags brought forward the deadlines of 9 stacks within a day. All else goes on."
    assert letter(Item("breaker", None, why), to=OPERATORS) == (
        "[janitor] held: too many deadlines would come earlier at once",
        (
            "To the operators of the janitor:\n\n"
            "Too many deadlines would come earlier at once\n"
            "  Tags brought forward the deadlines of 9 stacks within a day. All else goes\n"
            "    on.\n"
            "  To see what is held, and the command that accepts exactly that, run:\n"
            "    janitor breaker show"
        ),
    )


def test_the_owner_of_a_stack_that_was_there_before_is_told_what_the_janitor_is() -> None:
    """When it goes at the earliest, why it is told so, and both ways to keep it."""
    after = CREATED + timedelta(days=6)
    subject, text = letter(Item("adopted", a_lease(adopted_at=NOW), delete_after=after))
    assert subject == "[janitor] feat-basket is looked after by the janitor from now on"
    assert text == (
        f"{TO_ANA}feat-basket  (eu-central-1)\n"
        "  It will be deleted, at the earliest on Sun 7 Jun 2026 08:00 UTC (in 4 days),\n"
        "    and not before a final notice.\n"
        "  The janitor looks after temporary stacks in this account: it reminds their\n"
        "    owners, and deletes what nobody extends. This stack was here before it was\n"
        "    looked after.\n"
        "  Why: tag janitor:ttl=3d.\n"
        "  To keep it longer, extend it, or tag it janitor:expires with a date. To keep\n"
        "    it for good, tag it janitor:protect with the reason.\n"
        f"  monthly cost: unknown.{FOOT}"
    )
    endless = a_lease(adopted_at=NOW, expires_at=None, deadline_source="tag janitor:ttl=never")
    assert "It has no deadline, so nothing happens to it." in letter(Item("adopted", endless))[1]


def test_the_owner_of_a_stack_that_lost_its_tags_is_told_every_way_out() -> None:
    """That all stays as it was, how tags are kept, and who can let it be."""
    subject, text = letter(Item("tags-dropped", a_lease(tags_dropped_at=NOW), NOW.isoformat()))
    assert subject == "[janitor] feat-basket has lost its tags, and they still hold"
    assert text == (
        f"{TO_ANA}feat-basket  (eu-central-1)\n"
        "  A deployment dropped its tags. Its deadline, its owners and its protection\n"
        "    stay as they were.\n"
        "  It ends Thu 4 Jun 2026 08:00 UTC (in 1 day).\n"
        f"  {WHY}\n"
        "  To keep the tags, set them where each deployment finds them: in the template\n"
        "    or the CDK code, in the file samconfig, or with --tags at every\n"
        "    deployment.\n"
        "  To keep the stack for good, tag it janitor:protect with the reason.\n"
        "  If the janitor is to leave it alone, an operator runs:\n"
        f"    janitor unmanage {a_lease().stack_id} --reason 'not temporary'\n\n"
        "The commands need AWS credentials of this account with dynamodb:GetItem and\n"
        "PutItem on janitor-leases and janitor-journal."
    )


def test_who_owned_it_until_lately_hears_of_the_mark_and_is_offered_nothing() -> None:
    """Neither a link nor a command: the say is another's now."""
    bo = Contact(ContactKind.EMAIL, "bo@example.com")
    text = letter(Item("final", a_lease(), delete_after=NOW, is_former=True), to=bo)[1]
    assert "You owned it until some days ago. Owner: ana@example.com." in text
    assert "To keep it" not in text


def test_a_digest_begins_with_what_is_most_urgent() -> None:
    """Attention, final, problem, reminders by deadline, and what is over last."""
    stages = ["deleted", "48h", "24h", "problem", "final", "attention"]
    items = [
        Item(stage, a_lease(stage, expires_at=CREATED + timedelta(days=9 - number)), "x")
        for number, stage in enumerate(stages)
    ]
    words = worded(*items)
    assert words.subject == "[janitor] attention could not be deleted, and 5 more"
    assert words.greeting == (
        "To ana@example.com: this is about 6 temporary stacks of yours: 1 could not be deleted,"
        " 1 will be deleted, 1 needs its lifetime tag put right, 2 expire soon,"
        " 1 has been deleted."
    )
    heads = [line.split("  ")[0] for line in words.text.split("\n") if "  (eu" in line]
    assert heads == ["attention", "final", "problem", "24h", "48h", "deleted"]
    assert words.text.endswith(FOOT)


def test_the_first_line_of_a_digest_sums_it_up() -> None:
    """Every stage that is not a reminder is named as what it is."""
    stages = [*ABOUT_AN_OUTCOME, "failed-again", "failed-purge", "final", "adopted", "settled"]
    stages += ["1h", "1h"]
    items = [Item(stage, a_lease(f"feat-{n}"), "x", NOW) for n, stage in enumerate(stages)]
    summed = worded(*items).greeting.partition("of yours: ")[2]
    assert set(summed.rstrip(".").split(", ")) == {
        "1 could not be deleted",
        "2 could not be deleted yet",
        "1 has been stuck for hours",
        "1 will be deleted",
        "1 needs its lifetime tag put right",
        "1 is held up by another stack",
        "1 is due and protected",
        "1 has lost its tags",
        "1 is looked after from now on",
        "1 is kept",
        "2 expire soon",
        "1 has been deleted",
        "1 needs nothing any more",
        "1 needs its roll-back ended",
    }


def test_the_order_of_a_digest_does_not_depend_on_the_order_of_its_items() -> None:
    """The same stacks make the same text."""
    items = [Item("24h", a_lease(f"feat-{number}")) for number in range(5)]
    assert worded(*items) == worded(*reversed(items))


def test_times_are_told_in_the_zone_of_the_policy() -> None:
    """As on the owner's own clock."""
    policy = parse_policy("window: {zone: Europe/Berlin}", "p")
    words = digest(ANA, [Item("24h", a_lease())], now=NOW, policy=policy, mode=Mode.NOTIFY)
    assert "Expires Thu 4 Jun 2026 10:00 CEST (in 1 day);" in words.text


@pytest.mark.parametrize(
    "zone, told", [("Asia/Kolkata", "13:30 UTC+05:30"), ("America/Chicago", "03:00 UTC-05")]
)
def test_a_zone_whose_name_others_have_too_is_told_by_its_offset(zone: str, told: str) -> None:
    """IST is Dublin's as well, and CDT is Havana's."""
    policy = parse_policy(f"window: {{zone: {zone}}}", "p")
    item = Item("24h", a_lease(), offers=(NOW + timedelta(days=2),))
    words = digest(ANA, [item], now=NOW, policy=policy, mode=Mode.NOTIFY)
    assert f"Expires Thu 4 Jun 2026 {told} (in 1 day);" in words.text
    (choice,) = words.entries[0].choices
    assert choice.label == f"Keep 1 day, until Fri 5 Jun {told}"


def test_operators_read_whose_stack_it_is() -> None:
    """The greeting names no owner to them."""
    mine = worded(Item("attention", a_lease(attempts=5), "DELETE_FAILED"), to=OPERATORS)
    assert mine.entries[0].lines[-1] == "Owner: ana@example.com."
    nobodys = worded(Item("24h", a_lease(contacts=(OPERATORS,), ownerless=True)), to=OPERATORS)
    assert "No tag says who owns it." in nobodys.entries[0].lines
    assert "Owner" not in worded(Item("24h", a_lease())).text


def test_a_fallback_reads_whose_stacks_these_are_and_why_they_are_told() -> None:
    """Whoever gets a notice that is for somebody else must be able to pass it on."""
    words = digest(
        ANA,
        [Item("24h", a_lease("a")), Item("final", a_lease("b"), delete_after=NOW)],
        now=NOW,
        policy=POLICY,
        mode=Mode.ENFORCE,
        missed=[Missed(ANA, "users_not_found\nx"), Missed(TEAM, "it is\narchived")],
    )
    assert words.greeting == (
        "This is about 2 temporary stacks of ana@example.com, who cannot be reached"
        " (users_not_found x). Nor can #team (it is archived). You are told in their place:"
        " 1 will be deleted, 1 expires soon."
    )


def test_operators_are_told_who_cannot_be_reached() -> None:
    """Which owner, why, which stacks, and what to do."""
    words = unreachable(Missed(ANA, "users_not_found"), ["feat-a", "feat-b"])
    assert (words.subject, words.text) == (
        "[janitor] ana@example.com cannot be reached",
        (
            "To the operators of the janitor:\n\n"
            "ana@example.com\n"
            "  They cannot be reached (users_not_found), so the fallback was told.\n"
            "  Stacks: feat-a, feat-b.\n"
            "  Please correct the owner tag of these stacks, or ask who owns them."
        ),
    )


def test_a_thread_says_who_kept_a_stack_and_who_let_it_go() -> None:
    """In one sentence, the reason too where there is one."""
    lease = a_lease()
    until = "Thu 4 Jun 2026 08:00 UTC"
    by = "by the link in a notice"
    assert kept("ana", by, lease, " ", POLICY) == f"ana kept feat-basket until {until}, {by}."
    assert kept("ana", by, lease, "a\ndemo", POLICY).endswith(f"{by}. Reason: a demo")
    assert let_go("ana", "in Slack", lease) == "ana let feat-basket go, in Slack."


SETTLED = [
    (LeaseState.DELETED, "It has been deleted, and CloudFormation has confirmed it."),
    (LeaseState.GONE, "It is gone: deleted by another hand."),
    (LeaseState.RELEASED, "The janitor does not look after it any more."),
    (LeaseState.DELETING, "It is being deleted."),
    (LeaseState.FAILED, "It could not be deleted so far: in use."),
    (LeaseState.NEEDS_ATTENTION, "It could not be deleted so far: in use."),
    (LeaseState.MARKED, "It is marked for deletion; the newest notice says when it goes."),
    (LeaseState.ACTIVE, "Kept: it now ends Thu 4 Jun 2026 08:00 UTC (in 1 day)."),
]


@pytest.mark.parametrize("state, text", SETTLED)
def test_an_earlier_notice_shows_what_became_of_its_stack(state: LeaseState, text: str) -> None:
    """And offers nothing to press."""
    lease = a_lease(state=state, last_error="in\nuse.".replace("\n", " "))
    (entry,) = worded(Item("settled", lease, link=LINK, offers=(NOW,), token="t")).entries
    assert (entry.fate, entry.link, entry.token, entry.commands) == (text, "", "", ())


def test_an_earlier_notice_shows_that_its_stack_was_let_go() -> None:
    """Before the next sweep has marked it."""
    lease = a_lease(deadline_source=LET_GO)
    (entry,) = worded(Item("settled", lease)).entries
    assert entry.fate == "Its owner has let it go; a final notice says when it goes."


def test_labels_and_costs_are_told_where_tags_tell_them() -> None:
    """Branch, pull request and commit say what it is; the cost says what keeping it means."""
    labels = labels_of(
        {"branch": "feat/x", "pr": "#12", "commit": "abc", "janitor:monthly-cost": "12.5 EUR"}
    )
    (entry,) = worded(Item("24h", a_lease(labels=labels, resources=12))).entries
    assert entry.facts == (
        ("branch", "feat/x"),
        ("pull request", "#12"),
        ("commit", "abc"),
        ("resources", "12"),
        ("monthly cost", "12.50 EUR"),
    )


@pytest.mark.parametrize("count", [1, 5, 30])
def test_plain_text_needs_no_wide_window(count: int) -> None:
    """No line is longer than 78 columns, but for what must be clicked or copied whole."""
    stages = ["24h", "final", "problem", "attention", "deleted", "48h"]
    why = "tag janitor:ttl '3x': the unit is not m, h, d or w; for instance 90m, 36h, 3d or 2w"
    long = "feat-" + "x" * 123
    words = worded(
        *(
            Item(stages[n % 6], a_lease(long if n == 3 else f"feat-{n}"), why, NOW, link=LINK * 9)
            for n in range(count)
        )
    )
    wide = [line for line in words.text.split("\n") if len(line) > 78]
    assert all("https://" in line or long in line for line in wide), wide
    assert words.text.count("\n\n") == count + 1
    assert not any(line != line.rstrip() for line in words.text.split("\n"))


TRIPPED = (
    "policy 1234567890ab would bring forward the deadlines of 28 of 90 managed stacks, and 9 is the"
    " most that goes without a question. All else goes on."
)
REFUSED = "us-east-1 (AccessDenied: User: arn:aws:sts::1:x is not authorized to perform: a:b)"
MATTERS = [Item("breaker", None, TRIPPED), Item("region", None, REFUSED)]
sentences = st.lists(st.text("ab:(%", min_size=1, max_size=100), max_size=20).map(" ".join)
told_to_operators = st.one_of(
    st.sampled_from(MATTERS),
    st.builds(Item, st.sampled_from(["breaker", "region"]), st.none(), sentences),
    st.builds(
        lambda stage, name, text, source: Item(
            stage, a_lease(name, deadline_source=source, last_error=text), text, NOW
        ),
        st.sampled_from([*sorted(ABOUT_AN_OUTCOME), "failed-plain", "final", "adopted", "24h"]),
        st.text("abc-", min_size=1, max_size=128),
        sentences,
        sentences,
    ),
)


@given(st.lists(told_to_operators, min_size=1, max_size=4))
@example(MATTERS)
def test_operators_need_no_wide_window_either(chosen: list[Item]) -> None:
    """Only what has no blanks is longer, the line of a stack's name, and what is to be copied.

    Fails if the first line of an entry is not wrapped: a region's has more than a hundred columns.
    """
    names = {f"{item.lease.name}  (eu-central-1)" for item in chosen if item.lease}
    words = worded(*chosen, to=OPERATORS)
    names |= {f"    {one.line}" for entry in words.entries for one in entry.commands}
    for line in words.text.split("\n"):
        is_one = " " not in line.strip()
        assert len(line) <= 78 or is_one or line in names or line.startswith("  To keep it: ")


def test_a_subject_stays_under_a_hundred_characters() -> None:
    """SNS refuses a longer one; what is cut shows that it is."""
    items = [Item("24h", a_lease("x" * 128 + str(number))) for number in range(1_000)]
    words = worded(*items)
    assert len(words.subject) == 99
    assert words.subject.endswith("x..., and 999 more")
    assert len(worded(items[0]).subject) == 99


HOSTILE = "x\r\nBcc: all@example.com\x1b[2J\N{RIGHT-TO-LEFT OVERRIDE}\N{ZERO WIDTH SPACE}\x00"


def test_hostile_text_cannot_add_lines_or_hide() -> None:
    """Not from an owner tag, a lifetime tag, nor from CloudFormation."""
    lease = a_lease(deadline_source=HOSTILE)
    to = Contact(ContactKind.NAME, HOSTILE)
    words = worded(Item("24h", lease), to=to)
    greeting, entry, foot = words.text.split("\n\n")
    head, *lines = entry.split("\n")
    assert head == "feat-basket  (eu-central-1)"
    assert all(line.startswith("  ") for line in lines)
    assert words.text.replace("\n", "").isprintable()
    assert greeting.startswith("To x Bcc: all@example.com [2J: this is about")
    assert foot == FOOT.strip()
    problem = worded(Item("problem", a_lease(), HOSTILE)).text
    assert "  It is kept, but x Bcc: all@example.com [2J.\n" in problem


stages = st.sampled_from(["48h", "24h", "final", "problem", "deleted", "attention"])
leases = st.builds(
    a_lease,
    st.text(min_size=1, max_size=128),
    expires_at=st.none() | st.just(NOW) | st.just(NOW + timedelta(days=1)),
    deadline_source=st.text(max_size=100),
    attempts=st.integers(0, 9),
)
items = st.builds(Item, stages, leases, st.text(max_size=100), st.none() | st.just(NOW))


@given(
    st.lists(items, min_size=1, max_size=5),
    st.builds(Contact, st.sampled_from(ContactKind), st.text(max_size=100)),
    st.sampled_from(Mode),
)
def test_any_digest_can_be_worded_and_sent(
    chosen: list[Item], contact: Contact, mode: Mode
) -> None:
    """A subject on one line and short enough, a text that is all printable."""
    words = worded(*chosen, to=contact, mode=mode)
    assert words.subject.isprintable()
    assert 0 < len(words.subject) < 100
    assert words.text.replace("\n", "").isprintable()


LINKING = {
    "see https://evil.example.com/login now": "see https[:]//evil[.]example[.]com/login now",
    "www.evil.com": "www[.]evil[.]com",
    "HTTP://EVIL.COM": "HTTP[:]//EVIL[.]COM",
    "evil.com/a?b=c": "evil[.]com/a?b=c",
    ".evil.com": ".evil[.]com",
    "evil\u3002com": "evil[.]com",
    "b\u00fccher.de and x.xn--p1ai": "b\u00fccher[.]de and x[.]xn--p1ai",
    "slack://open?team=T1": "slack[:]//open?team=T1",
    "ana@example.com": "ana@example.com",
    "x@evil.com/login": "x@evil.com/login",
    "v1.2.3, 12.50 USD, 10:30 UTC, AWS::S3::Bucket, e.g. this. That": (
        "v1.2.3, 12.50 USD, 10:30 UTC, AWS::S3::Bucket, e.g. this. That"
    ),
}


@pytest.mark.parametrize("text", LINKING)
def test_no_address_from_a_tag_becomes_a_link(text: str) -> None:
    """Mail programs and Slack link whatever looks like one; mail addresses stay readable."""
    assert without_links(text) == LINKING[text]
    assert without_links(LINKING[text]) == LINKING[text]


@given(st.text(alphabet="ab.:/@ -\u3002", max_size=60))
def test_what_was_broken_stays_broken(text: str) -> None:
    """No scheme, and no dot between a word and a name, outside of a mail address."""
    broken = without_links(text)
    assert "://" not in broken
    left = re.sub(r"[\w.+'-]+@[\w.-]+", "", broken)
    assert not re.search(r"\w[.\u3002][a-z]{2}", left)
    assert without_links(broken) == broken


def test_tags_cannot_pose_as_the_janitor() -> None:
    """Wherever a tag's text stands in a notice, the one link in it is the janitor's."""
    evil = "https://evil.example.com/extend/abc"
    lease = a_lease(
        contacts=(Contact(ContactKind.NAME, f"To keep it: {evil}"),),
        labels=(("branch", evil), ("pull request", "www.evil.com")),
        deadline_source=f"tag x={evil}",
        problem=f"its tag says {evil}",
        last_error=f"see {evil}",
        leftovers=(),
    )
    for stage in ("24h", "final", "adopted", "tags-dropped", "problem", "attention", "protected"):
        item = Item(stage, lease, evil, delete_after=NOW, link=LINK)
        words = digest(lease.contacts[0], [item], now=NOW, policy=POLICY, mode=Mode.ENFORCE)
        for text in (words.text, words.subject, summary_of(words)):
            assert set(re.findall(r"\S+://\S+", text)) <= {LINK}, stage
            assert "evil.com" not in text
            assert "example.com/extend/abc" not in text.replace(LINK, "")
    who = Contact(ContactKind.NAME, evil)
    told = unreachable(Missed(who, f"see {evil}"), ["feat"])
    missed = [Missed(who, "gone"), Missed(who, f"see {evil}")]
    again = Item("24h", lease, evil, link=LINK)
    passed_on = digest(who, [again], now=NOW, policy=POLICY, mode=Mode.ENFORCE, missed=missed)
    assert "evil.com" not in passed_on.text.replace(LINK, "")
    assert "://" not in told.subject + told.text + summary_of(told)
