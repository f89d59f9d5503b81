"""The whole life of a stack, through nothing but what template.yaml deploys."""

import html
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.acceptance.conftest import POLICY, verify
from tests.acceptance.deployed import (
    PAST,
    Account,
    Inbox,
    Stage,
    event,
    link_in,
    records,
    until,
)
from tests.hooks import Hooks


def test_a_forgotten_stack_is_marked_told_of_and_deleted(
    account: Account, one: Stage, inbox: Inbox
) -> None:
    """Sweep, notice, sweep, deletion, outcome; and the journal can be verified."""
    stack = account.create_stack(
        "feat-forgotten",
        {"team-one": "x", "janitor:expires": PAST, "janitor:owner": "ada@example.com"},
    )
    stack_tags = account.tags(stack)
    one.sweep()
    assert one.state(stack) == "active"
    one.sweep()
    assert one.state(stack) == "marked"
    until(lambda: "notice.delivered" in one.actions(stack))
    marked = account.tags(stack)
    assert marked.items() >= stack_tags.items()
    assert marked["janitor:state"] == "marked-for-deletion"
    (notice,) = inbox.about("feat-forgotten")
    assert "feat-forgotten" in notice["Message"]
    assert notice["MessageAttributes"]["owner"]["Value"] == "ada@example.com"
    one.sweep()
    until(lambda: account.status(stack) == "DELETE_COMPLETE")
    one.invoke("Track", {**event("track"), "detail": {"stack-id": stack}})
    assert one.state(stack) == "deleted"
    assert until(lambda: inbox.about("feat-forgotten"))
    until(lambda: one.actions(stack)[-1] == "notice.delivered")  # sent first, recorded then
    assert one.actions(stack) == [
        "lease.opened",
        "stack.marked",
        "tags.intended",
        "notice.delivered",
        "tags.written",
        "stack.recorded",
        "deletion.intended",
        "deletion.started",
        "deletion.confirmed",
        "notice.delivered",
    ]
    verify(one)


def test_the_sweep_records_what_no_event_told(account: Account, one: Stage) -> None:
    """Status events are on best effort, so the next sweep asks."""
    stack = account.create_stack("feat-unheard", {"team-one": "x", "janitor:expires": PAST})
    for _ in range(3):
        one.sweep()
    until(lambda: account.status(stack) == "DELETE_COMPLETE")
    assert one.state(stack) == "deleting"
    one.sweep()
    assert one.state(stack) == "deleted"


def test_an_owner_keeps_a_stack_by_the_link_in_the_notice(
    account: Account, one: Stage, inbox: Inbox
) -> None:
    """GET shows and changes nothing; POST extends; the next sweep leaves the stack alone."""
    stack = account.create_stack(
        "feat-wanted", {"team-one": "x", "janitor:ttl": "40h", "janitor:owner": "ada@example.com"}
    )
    one.sweep()
    one.sweep()
    (notice,) = until(lambda: inbox.about("feat-wanted"))
    link = link_in(notice["Message"])
    assert link.startswith(one.outputs["ApiUrl"])
    before = one.lease(stack)
    page = one.page(link)
    assert page.status == 200
    assert page.headers["Cache-Control"] == "no-store"
    assert one.page(link, "HEAD").status == 200
    assert one.lease(stack) == before
    assert one.page(link, "POST", "until=2026-06-01T00:00:00Z").status == 403
    assert one.lease(stack) == before
    offers = re.findall(r'name="until" value="([^"]+)"', page.data.decode())
    choice = html.unescape(offers[-1])
    answer = one.press(link, f"until={choice.replace('+', '%2B').replace(':', '%3A')}&reason=demo")
    assert answer.status == 200, answer.data.decode()
    after = one.lease(stack)
    assert datetime.fromisoformat(after["expires_at"]) == datetime.fromisoformat(choice)
    assert after["generation"] == before.get("generation", 1) + 1
    assert "lease.extended" in one.actions(stack)
    again = one.press(link, f"until={choice.replace('+', '%2B').replace(':', '%3A')}")
    assert "already extended" in again.data.decode()
    one.sweep()
    assert account.status(stack) == "CREATE_COMPLETE"


def test_an_owner_lets_a_stack_go_by_the_page_and_keeps_it_after_all(
    account: Account, one: Stage, inbox: Inbox
) -> None:
    """Every route of the page, through the gateway: ask, let go, take back, calendar."""
    stack = account.create_stack(
        "feat-let-go", {"team-one": "x", "janitor:ttl": "40h", "janitor:owner": "ada@example.com"}
    )
    one.sweep()
    one.sweep()
    link = link_in(next(n["Message"] for n in until(lambda: inbox.about("feat-let-go"))))
    base = one.outputs["ApiUrl"]
    date = one.page(f"{link}/deadline.ics")
    assert (date.status, date.headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert one.page(f"{link}/deadline.ics", "HEAD").status == 200
    assert b"SUMMARY:feat-let-go ends\r\n" in date.data
    path = re.findall(r'action="\.\.(/let-go/[^"]+)"', one.page(link).data.decode())[0]
    before = one.lease(stack)
    assert "Let feat-let-go go?" in one.page(base + path).data.decode()
    assert one.page(base + path, "HEAD").status == 200
    assert one.page(base + path, "POST", "name=feat-let-go").status == 403
    assert one.press(base + path, "name=feat-let-gone").status == 400
    assert one.lease(stack) == before
    gone = one.press(base + path, "name=feat-let-go").data.decode()
    assert "feat-let-go is let go" in gone
    one.set_mode("notify")
    one.sweep()
    assert one.state(stack) == "marked"
    back = base + re.findall(r'href="\.\.(/extend/[^"]+)"', gone)[0]
    offers = re.findall(r'name="until" value="([^"]+)"', one.page(back).data.decode())
    choice = html.unescape(offers[0]).replace("+", "%2B").replace(":", "%3A")
    assert "feat-let-go is kept" in one.press(back, f"until={choice}").data.decode()
    one.sweep()
    assert one.state(stack) == "active"
    assert {"lease.let_go", "lease.extended"} <= set(one.actions(stack))
    assert account.status(stack) in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    verify(one)


def test_a_link_stays_good_when_the_key_is_rotated_once(
    account: Account, one: Stage, inbox: Inbox
) -> None:
    """`put-secret-value` is all there is to a rotation."""
    account.create_stack(
        "feat-rotated", {"team-one": "x", "janitor:ttl": "40h", "janitor:owner": "bob"}
    )
    one.sweep()
    one.sweep()
    (notice,) = until(lambda: inbox.about("feat-rotated"))
    link = link_in(notice["Message"])
    secrets = account.client("secretsmanager")
    for key, status in (("k" * 64, 200), ("l" * 64, 404)):
        secrets.put_secret_value(SecretId=one.outputs["LinkSecretArn"], SecretString=key)
        assert one.page(link).status == status


def test_switching_off_stops_a_deletion_that_is_due(account: Account, one: Stage) -> None:
    """The mode parameter takes effect at once."""
    stack = account.create_stack("feat-stopped", {"team-one": "x", "janitor:expires": PAST})
    one.sweep()
    one.sweep()
    until(lambda: "notice.delivered" in one.actions(stack))
    one.set_mode("notify")
    one.sweep()
    request = {"stack_id": stack, "decided_at": datetime.now(UTC).isoformat()}
    one.invoke("Delete", records(one, "Deletion", request))
    assert account.status(stack).startswith("UPDATE_COMPLETE")
    assert "deletion.intended" not in one.actions(stack)


def test_what_a_dry_sweep_says_is_written_nowhere(account: Account, one: Stage) -> None:
    """`{"dry_run": true}` is how the new code is tried before it gets the traffic."""
    stack = account.create_stack("feat-dry", {"team-one": "x", "janitor:ttl": "3d"})
    assert one.invoke("Sweep", {"dry_run": True})["mode"] == "enforce"
    assert one.state(stack) == "none"
    assert one.invoke("Check") == {"fine": True, "reason": ""}


def test_with_mail_alone_a_stack_is_reminded_of_kept_let_expire_and_deleted(
    account: Account, aged: str, one: Stage, inbox: Inbox
) -> None:
    """No Slack anywhere: notice, link, page, extension, final notice, deletion, word of it."""
    owner = "mail@example.com"

    def mail() -> list[dict[str, Any]]:
        return [n for n in inbox.read() if n["MessageAttributes"]["owner"]["Value"] == owner]

    def subjects(notices: list[dict[str, Any]]) -> set[str]:
        """Return what each is about, and see that it is about this stack."""
        return {n["Subject"].removeprefix("[janitor] feat-by-mail ") for n in notices}

    stack = aged
    account.tag_stack(stack, {"team-one": "x", "janitor:ttl": "40h", "janitor:owner": owner})
    one.sweep()
    one.sweep()
    (notice,) = until(mail)
    assert notice["Subject"] == "[janitor] feat-by-mail expires in 1 day 15 hours"
    link = link_in(notice["Message"])
    offers = re.findall(r'name="until" value="([^"]+)"', one.page(link).data.decode())
    choice = html.unescape(offers[0])
    form = f"until={choice.replace('+', '%2B').replace(':', '%3A')}&reason=demo"
    assert one.press(link, form).status == 200
    one.sweep()
    assert one.lease(stack)["extensions"] == 1
    assert mail() == []
    # It is older than this, and no extension lies past it.
    by_mail = {"name": "mail", "select": {"name": "feat-by-mail"}, "max_lifetime": "1m"}
    rule = {**POLICY["rules"][0], **by_mail}
    one.set_policy(**{**POLICY, "rules": [rule, *POLICY["rules"]]})
    until(lambda: one.sweep() and one.state(stack) == "marked", seconds=90)
    until(lambda: "will be deleted" in subjects(mail()))
    until(lambda: one.sweep() and one.state(stack) == "deleted")
    until(lambda: "has been deleted" in subjects(mail()))
    assert account.status(stack) == "DELETE_COMPLETE"


def test_operators_are_told_of_the_week_once(account: Account, one: Stage, inbox: Inbox) -> None:
    """Digest looks back and queues, notify sends; its schedule is there and enabled."""
    stack = account.create_stack("feat-odd", {"team-one": "x", "janitor:ttl": "3x"})
    one.sweep()
    assert one.state(stack) == "active"
    one.sweep()
    inbox.read()
    for _ in range(2):
        assert one.invoke("Digest", event("digest"))["status"] == "done"
        until(one.quiet)
    (week,) = [n for n in until(inbox.read) if "the week" in n["Subject"]]
    assert week["MessageAttributes"]["owner"]["Value"] == "operators"
    assert "feat-odd" in week["Message"]
    scheduler = account.client("scheduler")
    schedules = [
        scheduler.get_schedule(Name=one_["Name"])
        for one_ in scheduler.list_schedules()["Schedules"]
    ]
    found = [s for s in schedules if s["ScheduleExpression"] == "cron(0 8 ? * MON *)"]
    assert len(found) >= 1
    assert all(schedule["State"] == "ENABLED" for schedule in found)
    verify(one)


@pytest.mark.parametrize("status", ["Succeeded", "Failed"])
def test_codedeploy_hears_from_the_deployed_hook_how_the_dry_sweep_went(
    status: str, one: Stage, hooks: Hooks
) -> None:
    """Under its own role, and to a stand-in: what the emulator lacks is CodeDeploy."""
    if status == "Failed":
        one.set_policy(rules=3)
    name = f"e-{status}"
    one.invoke("Check", {"DeploymentId": "d-1", "LifecycleEventHookExecutionId": name})
    (body,) = [body for _, body in hooks.told if body["lifecycleEventHookExecutionId"] == name]
    assert body == {"deploymentId": "d-1", "lifecycleEventHookExecutionId": name, "status": status}
