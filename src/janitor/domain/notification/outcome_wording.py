"""The sentences about what became of a deletion: what failed, what stayed, what holds it up."""

from collections.abc import Iterator

from janitor.domain.deletion.failure_wording import REASONS_APART
from janitor.domain.deletion.strategy import THROTTLED, Rung
from janitor.domain.lease.owners import clean
from janitor.domain.model import EXPIRES_TAG, FAILED_RUNG, PROTECT_TAG, REGION, TTL_TAG, Lease
from janitor.domain.notification.commands import Place, to_look_at_it, to_see_what_is_held
from janitor.domain.notification.digest import Entry, Item

MOST_LINES = 12
_RUNGS: dict[str, str] = {
    Rung.PLAIN: "",
    Rung.PURGE: " though what may be emptied was emptied",
    Rung.ROLE: " by the cleanup role either",
    Rung.RETAIN: " though what would not go was to be left behind",
    Rung.FORCE: " by force either",
    THROTTLED: ", as AWS has refused for hours to take so many calls",
}


def outcome_headline(item: Item, lease: Lease) -> str:
    """Return what a subject says of one stack."""
    name = clean(lease.name)
    match item.stage:
        case "deleted":
            return f"{name} has been deleted" + " with leftovers" * bool(lease.leftovers)
        case "attention":
            return f"{name} could not be deleted"
        case "problem":
            return f"{name} is kept until {_mended(item.text)}"
        case "in-use":
            return f"{name} is held up by another stack"
        case "protected":
            return f"{name} is due, and protected against deletion"
        case "stuck":
            return f"{name} has been stuck for hours"
        case "kept":
            return f"{name} is kept"
        case "tags-stuck":
            return f"{name} can be deployed no more until its roll-back is ended"
        case "tags-dropped":
            return f"{name} has lost its tags, and they still hold"
        case _:
            return f"{name} could not be deleted yet"


def _mended(problem: str) -> str:
    """Say what is to be put right, without the value: that is hostile text."""
    if problem.startswith("no tag"):
        return f"it has a tag {TTL_TAG}"
    tags = (tag for tag in (TTL_TAG, EXPIRES_TAG) if problem.startswith(f"tag {tag} "))
    return next((f"its tag {tag} is put right" for tag in tags), "its tags are put right")


def outcome_lines(item: Item, lease: Lease, why: str, again: str) -> list[str]:
    """Return what a notice says of one stack, the first thing to be read first.

    `why` says where its deadline came from, `again` when the next attempt is.
    """
    match item.stage:
        case "deleted":
            return [*_deleted(lease), why]
        case "problem":
            return [
                f"It is kept, but {clean(item.text)}.",
                "Please put that right; until then nothing reminds you and nothing deletes it.",
            ]
        case "attention":
            attempts = f"{lease.attempts} attempt{'' if lease.attempts == 1 else 's'}"
            first, *more = _reasons(item.text)
            return [
                f"It could not be deleted after {attempts}: {first}.",
                *more,
                "The janitor will not try again. Please delete it by hand, or ask your operators.",
            ]
        case "in-use":
            return [
                f"It is due, but cannot be deleted: {clean(item.text)}.",
                "It goes by itself once no other stack imports from it.",
                "Please take the import out of that stack, or delete it if nobody needs it.",
            ]
        case "protected":
            return [
                "It is due, but CloudFormation's termination protection is on, so it stays.",
                "If it may go, please switch that off.",
                "If it is to stay, tag it janitor:protect and say why.",
            ]
        case "kept":
            return [
                f"It is {clean(item.text)}: the janitor deletes nothing that has this tag.",
                "If it is to go in its time, please take that tag away.",
            ]
        case "tags-stuck":
            said = clean(lease.tagging.detail if lease.tagging else "")
            return [
                f"The janitor's update of its tags ended in UPDATE_ROLLBACK_FAILED: {said}.",
                "Until that is ended nothing can be deployed to it.",
                "What cannot be rolled back is named with --resources-to-skip; its events say what.",
                "The janitor writes no tags on it before its next deployment. Its deadline holds.",
            ]
        case "stuck":
            return [
                f"CloudFormation has said {clean(item.text)} for more than two hours.",
                "The janitor cancels nothing. Please look at the stack's events.",
            ]
        case _:
            rung = _RUNGS.get(item.stage.removeprefix(FAILED_RUNG), "")
            first, *more = _reasons(item.text)
            return [
                f"It could not be deleted yet{rung}: {first}.",
                *more,
                f"The janitor tries again: {again}.",
            ]


def tags_dropped_lines(lease: Lease, ends: str, why: str) -> list[str]:
    """Say that lost tags still hold, and every way out."""
    return [
        "A deployment dropped its tags. Its deadline, its owners and its protection stay as they were.",
        ends if lease.expires_at else "It has no deadline.",
        why,
        (
            "To keep the tags, set them where each deployment finds them: in the template or the CDK"
            " code, in the file samconfig, or with --tags at every deployment."
        ),
        f"To keep the stack for good, tag it {PROTECT_TAG} with the reason.",
    ]


def _reasons(text: str) -> Iterator[str]:
    """Yield what CloudFormation said, and then a line for each resource."""
    first, *rest = (clean(part).rstrip(".") for part in text.split(REASONS_APART))
    yield first
    yield from (f"{part}." for part in rest)


def _deleted(lease: Lease) -> Iterator[str]:
    if not lease.leftovers:
        yield "It has been deleted, and CloudFormation has confirmed it."
        return
    count = len(lease.leftovers)
    things = "one thing" if count == 1 else f"{count} things"
    yield f"It has been deleted with leftovers: {things} stayed, and may go on costing money."
    yield from (f"Left: {clean(name)}." for name in lease.leftovers[:MOST_LINES])
    if count > MOST_LINES:
        yield f"The journal has {count - MOST_LINES} more."
    yield "Please look at what was left, and delete it by hand if nobody needs it."


def account_entry(item: Item, place: Place) -> Entry:
    """Tell operators what is about the account as a whole: what is held, or a region."""
    if item.stage == REGION:
        return Entry(
            item.stage,
            f"A region cannot be listed: {clean(item.text)}.",
            fate="Until it can, nobody is reminded of what is there, and none of it is marked or"
            " deleted.",
            commands=(to_look_at_it(place),),
        )
    return Entry(
        item.stage,
        "Too many deadlines would come earlier at once",
        fate=f"{clean(item.text)[:1].upper()}{clean(item.text)[1:]}",
        commands=(to_see_what_is_held(place),),
    )
