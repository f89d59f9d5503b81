"""Exports and imports among due stacks: who imports goes first, who stays holds up."""

from tests.application.stories import OWNED, POLICY, Story

from janitor.domain.errors import JanitorError
from janitor.domain.model import LeaseState

BOB = {"janitor:ttl": "20d", "janitor:owner": "bob@example.com"}


def due_stacks(story: Story) -> None:
    """Go on until whatever was deployed for three days is due: Friday, 08:00."""
    story.sweep()
    story.wait(3)
    story.sweep()
    story.wait(1)


def chain(story: Story, length: int) -> list[str]:
    """Deploy stacks each of which imports from the one before."""
    names = [f"feat-{number}" for number in range(length)]
    return [
        story.deploy(name, exports=(f"{name}-out",), imports=(f"{before}-out",) if before else ())
        for before, name in zip(["", *names], names, strict=False)
    ]


def decided(story: Story) -> dict[str, str]:
    """Return the reasons of a plan by the name of the stack."""
    decisions = story.janitor.plan().plan.decisions
    return {d.stack.name: str(d.reason) for d in decisions if d.stack is not None}


def test_a_chain_of_five_leaves_in_the_right_order_one_a_sweep() -> None:
    """As few sweeps as possible: each stack needs the one before it to be gone.

    Fails if `in_order` returns the decisions as they came.
    """
    story = Story()
    ids = chain(story, 5)
    due_stacks(story)
    for _ in range(5):
        story.sweep()
        for stack_id in ids:
            story.stacks.finish(stack_id)
        story.wait(minutes=30)
    story.sweep()
    assert story.calls("delete") == ids[::-1]
    assert {story.lease(stack_id).state for stack_id in ids} == {LeaseState.DELETED}
    assert {story.actions(stack_id).count("deletion.refused") for stack_id in ids} == {0}


def test_plan_and_sweep_say_alike_who_goes_first() -> None:
    """Nobody has to guess why a stack waits."""
    story = Story()
    chain(story, 2)
    due_stacks(story)
    assert decided(story)["feat-0"] == "due, but feat-1 imports what it exports and goes first"
    assert story.sweep().plan.counts["wait"] == 1


def test_an_importer_that_stays_blocks_and_both_owners_are_told_once() -> None:
    """With the stack and its owner by name.

    Fails if `_leaves` returns True.
    """
    story = Story()
    exporter = story.deploy("feat-net", exports=("net",))
    story.deploy("shop", tags=BOB, imports=("net",))
    due_stacks(story)
    for _ in range(3):
        story.sweep()
        story.wait(hours=1)
    why = "shop (owner bob@example.com) imports its export net and stays"
    assert decided(story)["feat-net"] == f"due, but {why}"
    assert story.reason(exporter, "lease.updated") == f"held up: {why}"
    told = [m.contact.address for m in story.channel.sent if "in-use" in m.kinds]
    assert sorted(told) == ["ana@example.com", "bob@example.com"]
    assert story.calls("delete") == []


def test_the_exporter_goes_when_the_importer_has_let_go() -> None:
    """Nothing else has to be done."""
    story = Story()
    exporter = story.deploy("feat-net", exports=("net",))
    importer = story.deploy("shop", tags=BOB, imports=("net",))
    due_stacks(story)
    story.sweep()
    assert story.lease(exporter).blocker
    story.stacks.link(importer)
    story.sweep()
    assert story.lease(exporter).state is LeaseState.DELETING
    assert story.lease(exporter).blocker == ""


def test_an_importer_that_nobody_manages_blocks_too() -> None:
    """Its owner is read from its tags."""
    story = Story()
    story.deploy("feat-net", exports=("net",))
    story.deploy("prod", tags={"owner": "carol@example.com"}, imports=("net",))
    due_stacks(story)
    story.sweep()
    story.sweep()
    told = [m.contact.address for m in story.channel.sent if "in-use" in m.kinds]
    assert sorted(told) == ["ana@example.com", "carol@example.com"]


def test_a_circle_is_reported_to_owners_and_operators() -> None:
    """None of them can go before the others.

    Fails if `_circle` returns nothing.
    """
    story = Story()
    one = story.deploy("feat-a", exports=("a",))
    story.deploy("feat-b", exports=("b",), imports=("a",))
    story.stacks.link(one, "b")
    due_stacks(story)
    for _ in range(2):
        story.sweep()
    why = (
        "feat-a and feat-b import each other's exports, so that none of them can be deleted;"
        " take the import out of one of them"
    )
    assert {decided(story)[name] for name in ("feat-a", "feat-b")} == {f"due, but {why}"}
    told = [m.contact.address for m in story.channel.sent if "in-use" in m.kinds]
    assert sorted(told) == ["ana@example.com", "operators"]
    assert story.calls("delete") == []


def test_an_importer_in_its_grace_is_waited_for() -> None:
    """It will go by itself, so nobody has to be told."""
    story = Story()
    story.deploy("feat-net", exports=("net",))
    due_stacks(story)
    story.deploy("late", tags={**OWNED, "janitor:ttl": "1m"}, imports=("net",))
    story.sweep()
    story.wait(minutes=5)
    story.sweep()
    assert decided(story)["feat-net"] == "due, but late imports what it exports and goes first"


def test_importers_that_cannot_be_read_hold_up() -> None:
    """Unsure means do not delete.

    Fails if `Imports.holds_up` does not look at the error.
    """
    story = Story()
    story.deploy("feat-net", exports=("net",))

    class Blind(type(story.stacks)):  # type: ignore[misc]  # the twin, less one permission
        """CloudFormation that does not say who imports."""

        def importers(self, stack_id: str, export: str) -> tuple[str, ...]:
            """Refuse."""
            raise JanitorError(f"asking who imports {export} failed: AccessDenied")

    story.stacks.__class__ = Blind
    due_stacks(story)
    story.sweep()
    assert decided(story)["feat-net"] == (
        "due, but who imports what it exports could not be read:"
        " asking who imports net failed: AccessDenied"
    )
    assert story.calls("delete") == []


def test_importers_are_asked_for_only_where_a_stack_is_about_to_go() -> None:
    """One call for each export of it, and none for anybody else."""
    story = Story()
    first = story.deploy("feat-a", exports=("a1", "a2"))
    second = story.deploy("feat-b", exports=("b",))
    story.deploy("feat-c")
    story.deploy("prod", tags={}, exports=("p",))
    story.deploy("young", tags=BOB, exports=("y",))
    due_stacks(story)
    assert [call for call in story.stacks.calls if call[0] == "importers"] == []
    story.sweep()
    assert [call[1:] for call in story.stacks.calls if call[0] == "importers"] == [
        (first, "a1"),
        (first, "a2"),
        (second, "b"),
    ]


def test_who_is_held_up_makes_room_for_the_next_in_line() -> None:
    """A blocked stack does not use up the pace."""
    story = Story(POLICY + "limits: {max_deleting: 1}\n")
    story.deploy("feat-a", exports=("a",))
    story.deploy("prod", tags={}, imports=("a",))
    second = story.deploy("feat-b", exports=("b",))
    due_stacks(story)
    story.sweep()
    assert story.calls("delete") == [second]


def test_who_is_held_up_is_told_while_the_policy_lets_nothing_go() -> None:
    """Nobody has to raise the cap for that, and nothing goes."""
    story = Story(POLICY + "limits: {max_deleting: 0}\n")
    story.deploy("feat-net", exports=("net",))
    story.deploy("feat-free")
    story.deploy("shop", tags=BOB, imports=("net",))
    due_stacks(story)
    assert story.sweep().plan.counts == {"blocked": 1, "wait": 1, "keep": 1}
    told = [m.contact.address for m in story.channel.sent if "in-use" in m.kinds]
    assert sorted(told) == ["ana@example.com", "bob@example.com"]
    assert story.calls("delete") == []


def test_a_protected_importer_is_not_waited_for() -> None:
    """Its owner is told, and so is that of the exporter.

    Fails if `unknown_protection` asks nobody.
    """
    story = Story()
    story.deploy("feat-net", exports=("net",))
    lock = {**OWNED, "janitor:owner": "bob@example.com"}
    story.deploy("shop", tags=lock, imports=("net",), termination_protection=True)
    due_stacks(story)
    for _ in range(2):
        story.sweep()
    why = "shop (owner bob@example.com) imports its export net and stays"
    assert decided(story)["feat-net"] == f"due, but {why}"
    told = [m.contact.address for m in story.channel.sent if "in-use" in m.kinds]
    assert sorted(told) == ["ana@example.com", "bob@example.com"]


def test_an_importer_that_is_protected_no_more_is_waited_for() -> None:
    """It goes in this very sweep, and nobody is told that it stays.

    Fails if `_leaves` goes by `lease.blocked`, which is what an earlier look found.
    """
    story = Story()
    lock = {**OWNED, "janitor:owner": "bob@example.com"}
    importer = story.deploy("shop", tags=lock, imports=("net",), termination_protection=True)
    due_stacks(story)
    story.sweep()
    assert story.lease(importer).blocked
    exporter = story.deploy("feat-net", exports=("net",))
    due_stacks(story)
    story.stacks.lock(importer, on=False)
    assert decided(story)["feat-net"] == "due, but shop imports what it exports and goes first"
    story.sweep()
    assert story.calls("delete") == [importer]
    assert story.lease(exporter).blocker == ""
    assert [m for m in story.channel.sent if "in-use" in m.kinds] == []


def test_a_nested_importer_goes_with_its_root() -> None:
    """It is the root that is due, and that is named."""
    story = Story()
    exporter = story.deploy("feat-net", exports=("net",))
    root = story.deploy("feat-app")
    story.deploy("feat-app-child", tags={}, parent_id=root, imports=("net",))
    due_stacks(story)
    story.sweep()
    assert story.calls("delete") == [root]
    assert decided(story)["feat-net"].startswith("due, but feat-app imports what it exports")
    assert story.lease(exporter).state is LeaseState.MARKED


def test_what_a_nested_stack_exports_holds_its_root_up() -> None:
    """CloudFormation would refuse only at the nested stack, and the rest would be gone by then.

    Fails without `with_families` in `survey`.
    """
    story = Story()
    root = story.deploy("feat-app")
    middle = story.deploy("feat-app-net", tags={}, parent_id=root)
    story.deploy("feat-app-net-vpc", tags={}, parent_id=middle, exports=("vpc",))
    story.deploy("shop", tags=BOB, imports=("vpc",))
    due_stacks(story)
    for _ in range(2):
        story.sweep()
    why = "shop (owner bob@example.com) imports its export vpc and stays"
    assert decided(story)["feat-app"] == f"due, but {why}"
    told = [m.contact.address for m in story.channel.sent if "in-use" in m.kinds]
    assert sorted(told) == ["ana@example.com", "bob@example.com"]
    assert story.calls("delete") == []


def test_families_go_in_order_of_what_is_nested_in_them() -> None:
    """An importer that is nested in a stack that is due goes with that one, before the exporter.

    Fails without `with_families` in `survey`.
    """
    story = Story()
    exporter = story.deploy("feat-net")
    story.deploy("feat-net-vpc", tags={}, parent_id=exporter, exports=("vpc",))
    importer = story.deploy("feat-app")
    story.deploy("feat-app-part", tags={}, parent_id=importer, imports=("vpc",))
    due_stacks(story)
    story.sweep()
    assert decided(story)["feat-net"] == "due, but feat-app imports what it exports and goes first"
    assert story.calls("delete") == [importer]
    for stack_id in (importer, exporter):
        story.stacks.finish(stack_id)
        story.wait(hours=1)
        story.sweep()
    assert story.calls("delete") == [importer, exporter]
    assert {stack.status for stack in story.stacks.stacks.values()} == {"DELETE_COMPLETE"}


def test_the_owner_of_a_root_is_told_what_is_nested_in_it_and_imports() -> None:
    """Nobody reads the tags of nested stacks."""
    story = Story()
    story.deploy("feat-net", exports=("net",))
    shop = story.deploy("shop", tags=BOB)
    story.deploy("shop-part", tags={}, parent_id=shop, imports=("net",))
    due_stacks(story)
    story.sweep()
    why = "shop (owner bob@example.com) imports its export net and stays"
    assert decided(story)["feat-net"] == f"due, but {why}"
    told = [m.contact.address for m in story.channel.sent if "in-use" in m.kinds]
    assert sorted(told) == ["ana@example.com", "bob@example.com"]


def test_what_only_its_own_family_imports_does_not_keep_a_stack() -> None:
    """A root from its nested stack, that from the root, and one nested stack from another.

    Fails without `by_others` in the sweep.
    """
    story = Story()
    root = story.deploy("feat-app", exports=("x",), imports=("vpc",))
    story.deploy("feat-app-net", tags={}, parent_id=root, exports=("vpc",), imports=("x",))
    story.deploy("feat-app-db", tags={}, parent_id=root, imports=("x", "vpc"))
    due_stacks(story)
    story.sweep()
    assert story.calls("delete") == [root]
    assert [call[2] for call in story.stacks.calls if call[0] == "importers"] == ["x", "vpc"]
    for _ in range(48):  # Should CloudFormation refuse that all the same, its owner hears of it.
        story.stacks.finish(root)
        story.wait(hours=1)
        story.sweep()
    assert "is in use by feat-app-db" in story.lease(root).last_error
    told = [m.contact.address for m in story.channel.sent if "in-use" in m.kinds]
    assert told == ["ana@example.com"]


def test_an_importer_that_comes_too_late_for_the_sweep_is_told_when_a_nested_stack_stays() -> None:
    """The root is half deleted then, which cannot be helped; its owner hears by whom.

    Fails if `cause_of_failure` looks at the status reason of the root alone.
    """
    story = Story()
    root = story.deploy("feat-app")
    child = story.deploy("feat-app-net", tags={}, parent_id=root, exports=("vpc",))
    due_stacks(story)
    story.sweep()
    assert story.calls("delete") == [root]
    late = story.deploy("late", tags=BOB, imports=("vpc",))
    story.stacks.finish(root)
    assert [one.physical_id for one in story.stacks.resources.of(root)] == [child]
    story.wait(hours=1)
    story.sweep()
    lease = story.lease(root)
    assert (lease.state, lease.attempts) == (LeaseState.FAILED, 0)
    assert lease.blocker == "stack late imports what it exports"
    story.wait(days=1)
    story.sweep()
    assert decided(story)["feat-app"].startswith("due, but late (owner bob@example.com) imports")
    story.stacks.link(late)
    story.wait(hours=1)
    story.sweep()
    story.stacks.finish(root)
    story.wait(hours=1)
    story.sweep()
    assert story.lease(root).state is LeaseState.DELETED
    assert story.stack(child).status == "DELETE_COMPLETE"


def test_what_is_held_up_is_tagged_again_after_a_deployment_wiped_its_tags() -> None:
    """It may be held up for weeks, by an importer or by the policy's cap.

    Fails without `decision.tags` in `_blocked` of domain/planning/export_order.py, or `d.tags` in `_pace` of
    domain/planning/plan.py.
    """
    held, stopped = Story(), Story(POLICY + "limits: {max_deleting: 0}\n")
    held.deploy("other", tags=BOB, imports=("feat-0-out",))
    for story in (held, stopped):
        (stack_id,) = chain(story, 1)
        due_stacks(story)
        story.sweep()
        tags = story.stack(stack_id).tags
        assert tags["janitor:state"] == "marked-for-deletion"
        story.wait(hours=1)
        story.stacks.redeploy(stack_id, OWNED)
        story.wait(hours=1)
        story.sweep()
        assert (story.stack(stack_id).tags, story.calls("delete")) == (tags, [])
