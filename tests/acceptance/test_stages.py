"""Two stages side by side: neither touches the other's stacks, tables or links."""

from tests.acceptance.conftest import POLICY, verify
from tests.acceptance.deployed import Account, Inbox, Stage, link_in, until


def test_the_schedule_makes_sweeps_by_itself(stages: dict[str, Stage]) -> None:
    """Before anybody has invoked this function its journal says that the mode was read."""
    two = stages["two"]
    until(lambda: "mode.changed" in two.actions("janitor"), seconds=90)


def test_each_stage_leases_its_own_stacks(
    account: Account, one: Stage, stages: dict[str, Stage]
) -> None:
    """Selectors tell them apart, and each has a ledger of its own."""
    two = stages["two"]
    of_one = account.create_stack("feat-of-one", {"team-one": "x", "janitor:ttl": "3d"})
    of_two = account.create_stack("feat-of-two", {"team-two": "x", "janitor:ttl": "3d"})
    one.sweep()
    two.sweep()
    assert [stage.state(of_one) for stage in (one, two)] == ["active", "none"]
    assert [stage.state(of_two) for stage in (one, two)] == ["none", "active"]
    assert one.outputs["LeaseTableName"] != two.outputs["LeaseTableName"]


def test_a_stage_does_not_honour_the_other_stages_links(
    account: Account, one: Stage, stages: dict[str, Stage], inboxes: dict[str, Inbox]
) -> None:
    """Each signs with a key of its own."""
    two = stages["two"]
    account.create_stack("feat-linked", {"team-two": "x", "janitor:ttl": "40h"})
    inboxes["two"].read()
    two.sweep()
    two.sweep()
    notices = until(inboxes["two"].read)
    link = next(link_in(n["Message"]) for n in notices if "feat-linked" in n["Message"])
    assert two.page(link).status == 200
    elsewhere = link.replace(two.outputs["ApiUrl"], one.outputs["ApiUrl"])
    assert one.page(elsewhere).status == 404


def test_a_janitor_leaves_every_janitor_alone(
    account: Account, one: Stage, stages: dict[str, Stage]
) -> None:
    """Even under a policy that selects everything, and both carry the tag that says so."""
    one.set_policy(**{**POLICY, "rules": [{**POLICY["rules"][0], "select": {"name": "janitor-*"}}]})
    for _ in range(3):
        one.sweep()
    for name in stages:
        assert account.tags(f"janitor-{name}") == {"janitor:self": name}
        stack_id = account.stack(f"janitor-{name}")["StackId"]
        assert one.state(stack_id) == "none"
        assert account.status(stack_id) == "CREATE_COMPLETE"


def test_every_chain_of_both_journals_is_sound(stages: dict[str, Stage]) -> None:
    """After all that, kills and duplicates included."""
    for stage in stages.values():
        verify(stage)
