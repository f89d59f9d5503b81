"""Measure deciding alone, on as many stacks in memory as the argument says."""

import sys
from datetime import UTC, datetime, timedelta

from account import REGION, name_of, tags_of
from janitor.domain.model import Lease, Mode, Stack
from janitor.domain.planning.decisions import Open
from janitor.domain.planning.plan import Listing, Plan, make_plan, survey
from janitor.domain.policy.model import default_policy
from timing import Numbers, print_timed

now = datetime.now(UTC)
policy = default_policy()
stacks = tuple(
    Stack(
        stack_id=f"arn:aws:cloudformation:{REGION}:111122223333:stack/{name_of(n)}/{n:036}",
        name=name_of(n),
        region=REGION,
        status="CREATE_COMPLETE",
        created=now - timedelta(hours=n % 20),
        tags=tags_of(n),
    )
    for n in range(int(sys.argv[1]))
)


def planned(leases: dict[str, Lease]) -> Plan:
    """Make the plan for all stacks."""
    found = survey([Listing(REGION, stacks)], leases, policy, now)
    return make_plan(found, policy, Mode.ENFORCE, {})


opened = [decision.lease for decision in planned({}).decisions if isinstance(decision, Open)]
leases = {lease.stack_id: lease for lease in opened if lease}
planned(leases)


def again() -> Numbers:
    """Decide once more, with every lease open."""
    plan = planned(leases)
    return {"stacks": plan.managed, "decisions": plan.counts}


print_timed(again)
