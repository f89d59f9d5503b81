"""The SAM companion of a stack that is being deleted: whether it goes, and asking for it.

It goes before its parent, as with `sam delete`: as long as the parent is there, its name is
not used again, and no other stack's companion can be meant.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from janitor.application.ports import Stacks
from janitor.domain.deletion.evidence import part_of_family
from janitor.domain.deletion.strategy import PURGEABLE, Step, next_step, purge_words
from janitor.domain.errors import DeleteRefused, StackNotFound
from janitor.domain.lease.refresh import near_miss_text, protection_text
from janitor.domain.model import SELF_TAG, Lease, Stack
from janitor.domain.notification.messages import DeletionRequest
from janitor.domain.planning.decisions import Reason
from janitor.domain.policy.model import Policy
from janitor.domain.stack.companions import companion_name
from janitor.domain.stack.resources import Resource, Snapshot, within
from janitor.domain.stack.statuses import BEING_DELETED, DELETABLE, GONE, HALF_DELETED
from janitor.domain.stack.tag_keys import near_misses, protection


class Companion(Struct, frozen=True):
    """A companion that is there right before its parent is asked for."""

    stack: Stack
    snapshot: Snapshot
    purge: tuple[Resource, ...] = ()
    """Its repositories that CloudFormation could not delete, and that policy or tag opted in."""
    stays: str = ""
    """Why it is not deleted; it is left behind, and its owner is told."""
    goes_first: bool = False
    """The parent waits for a later sweep: should a repository be full, it can be emptied then."""

    @property
    def is_busy(self) -> bool:
        """Tell whether somebody is deploying it."""
        return not self.stays and self.stack.status not in (*DELETABLE, BEING_DELETED)

    @property
    def is_to_be_asked(self) -> bool:
        """Tell whether it is to be deleted, and is not being deleted yet."""
        return not self.stays and self.stack.status in DELETABLE

    @property
    def itself(self) -> Resource:
        """Return it as a part of its parent, as a nested stack is one."""
        return part_of_family(self.stack)

    @property
    def left(self) -> tuple[str, ...]:
        """Name what is left behind on purpose."""
        return (f"{self.stack.name}, its SAM companion, which is {self.stays}",) * bool(self.stays)

    def beside(self, root: Snapshot) -> Snapshot:
        """Return what the parent consists of, and its companion with it."""
        inside = within(self.itself, self.snapshot.resources)
        nested = {**root.nested, self.stack.stack_id: self.snapshot.template}
        return replace(root, resources=(*root.resources, self.itself, *inside), nested=nested)


class Asked(Struct, frozen=True):
    """What came of asking for a companion's deletion, as the journal says it."""

    action: str
    reason: Reason
    result: str = "ok"
    request_ids: tuple[str, ...] = ()


def find_companion(
    request: DeletionRequest,
    lease: Lease,
    parent: Stack,
    policy: Policy,
    stacks: Stacks,
    may_go_on: Callable[[], bool],
) -> Companion | None:
    """Describe the companion by its id: as the sweep saw it, or as an earlier attempt knew it.

    None, and no call, where the stack has none.
    """
    stack_id = request.companion or lease.companion
    seen = stacks.describe(stack_id) if stack_id else None
    if seen is None or seen.status == GONE or seen.name != companion_name(parent.name):
        return None
    if stays := _why_it_stays(seen, policy):
        return Companion(seen, Snapshot(), stays=stays)
    snapshot = stacks.snapshot(seen, may_go_on)
    terms = policy.terms(lease.rule)
    words = purge_words(parent, terms)
    # Of the ladder it has the parent's opt-in, and no other remedy.
    same = {"purge": tuple(words), "last_resort": "none", "cleanup_role": None}
    step = next_step(lease, seen, snapshot.failed, terms.model_copy(update=same), policy.limits)
    return Companion(
        seen,
        snapshot,
        purge=tuple(within(part_of_family(seen), step.purge)),
        goes_first=seen.status != HALF_DELETED and _may_be_full(snapshot.resources, words),
    )


def _may_be_full(resources: Iterable[Resource], words: frozenset[str]) -> bool:
    return any(PURGEABLE.get(one.type) in words for one in resources)


def _why_it_stays(companion: Stack, policy: Policy) -> str:
    """Say by what an intention to keep it shows; nothing if by nothing."""
    if by_tag := protection(companion.tags, policy.tag_kinds.protect):
        return protection_text(by_tag)
    if near := near_misses(companion.tags, policy.tag_kinds.counts):
        return f"kept, since {near_miss_text(near)}"
    if SELF_TAG in companion.tags:
        return f"protected by tag {SELF_TAG}"
    if pattern := policy.never_deletes(companion.name):
        return f"on the never-delete list ({pattern})"
    return "protected by CloudFormation's termination protection" * companion.termination_protection


def ask_for(companion: Stack, token: str, stacks: Stacks) -> Asked:
    """Ask CloudFormation to delete a companion; a definite no is told, and stops nothing."""
    facts = {"companion": companion.name, "companion_id": companion.stack_id}
    try:
        request_id = stacks.delete(companion.stack_id, f"{token}-companion", Step())
    except StackNotFound:
        return Asked("companion.deletion_started", Reason("its companion is gone already", facts))
    except DeleteRefused as refusal:
        text = f"its companion stays: {refusal}"
        return Asked("companion.deletion_refused", Reason(text, facts), "refused")
    text = "CloudFormation accepted the deletion of its companion"
    return Asked("companion.deletion_started", Reason(text, facts), request_ids=(request_id,))
