"""The date in a final notice is kept, whatever the rules become."""

import re
from datetime import UTC, datetime
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.application.stories import OWNED, Story

from janitor.domain.model import LeaseState

graces = st.sampled_from(["0m", "1h", "24h", "72h"])
lifetimes = st.sampled_from(["24h", "60h", "72h", "73h", "76h", "4d"])
windows = st.fixed_dictionaries(
    {
        "days": st.lists(
            st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]),
            min_size=1,
            unique=True,
        ),
        "hours": st.sampled_from(["00:00-24:00", "09:00-17:00", "22:00-02:00"]),
    }
)
documents = st.builds(
    lambda window, grace, ownerless, ttl, longest: {
        "window": window,
        "rules": [
            {
                "name": "all",
                "select": {"name": "feat*"},
                "grace": grace,
                "ownerless_grace": ownerless,
                "ttl": ttl,
                "max_lifetime": longest,
            }
        ],
        "limits": {"min_observed": "0m"},
    },
    windows,
    graces,
    graces,
    lifetimes,
    st.sampled_from(["60h", "72h", "30d"]),
)
OWNERS: tuple[dict[str, str], ...] = ({"janitor:owner": OWNED["janitor:owner"]}, {})


def promised(story: Story) -> list[datetime]:
    """Return the dates that the final notices so far gave, as their readers read them."""
    found = [
        re.search(r"at the earliest on \w+ (\d+ \w+ \d{4} \d\d:\d\d) UTC", entry.fate)
        for message in story.channel.sent
        for entry in message.words.entries
        if entry.stage == "final"
    ]
    return [datetime.strptime(f[1], "%d %b %Y %H:%M").replace(tzinfo=UTC) for f in found if f]


@settings(deadline=None)
@given(
    documents,
    st.lists(st.tuples(documents, st.integers(1, 40)), min_size=1, max_size=6),
    st.sampled_from(OWNERS),
)
def test_no_stack_goes_before_a_date_that_any_final_notice_gave(
    first: dict[str, Any], then: list[tuple[dict[str, Any], int]], tags: dict[str, str]
) -> None:
    """Not by a shorter grace or lifetime, nor by another window or deadline.

    Fails without `lease.promised or ends` in `promise` of domain/lease/notice_history.py.
    """
    story = Story(yaml.safe_dump(first))
    stack_id = story.deploy(tags=tags)
    for _ in range(2):
        story.sweep()
        story.wait(hours=77)
    story.sweep()
    for document, hours in then:
        story.set_policy(yaml.safe_dump(document))
        for _ in range(3):
            story.wait(hours=hours / 3)
            before = promised(story)
            story.sweep()
            if story.calls("delete"):
                assert story.now >= max(before)
                return
    for _ in range(40):
        story.wait(hours=12.5)
        story.sweep()
    assert story.lease(stack_id).state is LeaseState.DELETING
    assert story.now >= max(promised(story))
