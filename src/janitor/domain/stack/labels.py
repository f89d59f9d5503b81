"""What a stack's tags say of where it comes from and what it costs: shown, never decided by."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

from janitor.domain.lease.owners import clean
from janitor.domain.stack.tag_keys import BRANCH_TAG, COMMIT_TAG, COST_TAG, PULL_REQUEST_TAG

BRANCH, PULL_REQUEST, COMMIT, COST = "branch", "pull request", "commit", "monthly cost"
_TAGS = {
    BRANCH: (BRANCH_TAG, "branch", "Branch", "git-branch", "git:branch"),
    PULL_REQUEST: (PULL_REQUEST_TAG, "pull-request", "PullRequest", "pr"),
    COMMIT: (COMMIT_TAG, "commit", "Commit", "git-commit", "git:commit"),
    COST: (COST_TAG,),
}
"""Under which tags each is looked for; the first that says anything counts."""

_AMOUNT = re.compile(r"(?P<amount>[0-9]{1,9}(?:\.[0-9]{1,2})?)(?: ?(?P<currency>[A-Z]{3}))?")


def labels_of(tags: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return name and text of each label that the tags have."""
    found = []
    for name, keys in _TAGS.items():
        texts = (clean(tags[key]) for key in keys if key in tags)
        if text := next(filter(None, texts), ""):
            found.append((name, text))
    return tuple(found)


def cost_of(labels: Iterable[tuple[str, str]]) -> tuple[Decimal, str] | None:
    """Return the monthly cost and its currency (USD if none is named); None if unknown.

    The tag `janitor:monthly-cost` says it (`12.50` or `12.50 EUR`); whoever deploys knows
    it best, from the estimate of a pipeline for instance.
    """
    match = _AMOUNT.fullmatch(dict(labels).get(COST, ""))
    return (Decimal(match["amount"]), match["currency"] or "USD") if match else None


def cost_text(labels: Iterable[tuple[str, str]]) -> str:
    """Return the monthly cost in words: `12.50 USD`, or `unknown`."""
    cost = cost_of(labels)
    return f"{cost[0]:.2f} {cost[1]}" if cost else "unknown"
