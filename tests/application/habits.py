"""What the people of an ordinary account do, in shares, and one drawn stack after another."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.application.ordinary import DAY, GRACE, HOUR, OWNERLESS_GRACE, Account, Made

from janitor.domain.stack.resources import Resource

POLICY = """
mode: enforce
operators: {channel: '#janitor'}
rules:
- {name: default, select: {any: [{tag: 'janitor:ttl'}, {tag: 'janitor:expires'}]}}
- {name: features, select: {name: 'feat-*'}, ttl: 7d}
"""
RULE_TTL = 7

CLEAN, INSIDE, NAMED, PLACEHOLDER, NOBODY = "clean", "inside", "named", "placeholder", "nobody"
OWNERS = {CLEAN: 55, INSIDE: 15, NAMED: 10, PLACEHOLDER: 10, NOBODY: 10}
TAGGED, RULED, WORDED, UNREADABLE, NEAR_MISS, PROTECTED = (
    "tagged", "ruled", "worded", "unreadable", "near miss", "protected",
)  # fmt: skip
LIFETIMES = {TAGGED: 60, RULED: 15, WORDED: 10, UNREADABLE: 5, NEAR_MISS: 4, PROTECTED: 6}
PLAIN, CDK, SAM, NESTED, EXPORTS, DYNAMIC = "plain", "cdk", "sam", "nested", "exports", "dynamic"
TEMPLATES = {PLAIN: 45, CDK: 25, SAM: 10, NESTED: 8, EXPORTS: 6, DYNAMIC: 6}
FINE, ONCE, NEVER = "goes", "fails once", "fails for good"
DELETIONS = {FINE: 89, ONCE: 8, NEVER: 3}
REDEPLOYED, EXTENDED, REMOVED = "redeployed", "extended", "removed"
LIVES = {
    REDEPLOYED: {REDEPLOYED: 35, "not": 65},
    EXTENDED: {EXTENDED: 20, "not": 80},
    REMOVED: {REMOVED: 15, "not": 85},
}
WITHOUT_TAGS = 3
"""Every third of those that are deployed again."""

KEPT = {UNREADABLE, NEAR_MISS, PROTECTED}
"""What somebody means to keep; nobody means that of any other."""

INSIDE_TEXTS = (
    "Ada <ada@example.com>",
    "mailto:ada@example.com",
    "ada@example.com:bob@example.com",
    "ada@example.com / bob@example.com",
    "arn:aws:sts::123456789012:assumed-role/Dev/ada@example.com",
)
NAMES = ("José Núñez", "Team-Basket", "WEBTEAM", "ops")
PLACEHOLDERS = ("unknown", "N/A", "none", "-", "TBD", "todo")
WORDS = (("3 days", 3), ("P7D", 7), ("1 week", 7), ("PT36H", 1.5), ("2 days", 2))
UNREADABLES = ("30", "forever", "3x", "a while")
NEAR_MISSES = (
    {"janitor:protected": "true"},
    {"Janitor:TTL": "30d"},
    {"janitor-ttl": "30d"},
    {"janitor:expire": "2027-01-01"},
)
PROTECTIONS: tuple[dict[str, str], ...] = (
    {"janitor:protect": "the demo of Friday", "janitor:ttl": "2d"},
    {"DoNotDelete": "true"},
    {"do-not-delete": "yes", "janitor:ttl": "2d"},
    {},
)
"""The last one: CloudFormation's own termination protection."""
ROLE = "arn:aws:iam::123456789012:role/cdk-hnb659fds-cfn-exec"
STATUSES = ("CREATE_COMPLETE",) * 8 + ("UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE")


@dataclass
class People:
    """Draw what people do; whoever exports is imported from by the next one who does that."""

    random: Random
    exports: list[str] = field(default_factory=list)
    decks: dict[int, list[str]] = field(default_factory=dict)
    redeployed: int = 0
    drawn: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What each stack was drawn as, by its id."""

    def pick(self, shares: dict[str, int]) -> str:
        """Draw a card: of a hundred stacks each kind gets exactly its share."""
        deck = self.decks.setdefault(id(shares), [])
        if not deck:
            deck += [kind for kind, share in shares.items() for _ in range(share)]
            self.random.shuffle(deck)
        return deck.pop()

    def does(self, habit: str) -> bool:
        """Tell whether the people of this stack do that, as often as its share says."""
        return self.pick(LIVES[habit]) == habit

    def make(self, account: Account, number: int) -> Made:
        """Make one stack, and let its people do the rest later."""
        owner, lifetime = self.pick(OWNERS), self.pick(LIFETIMES)
        template, deletion = self.pick(TEMPLATES), self.pick(DELETIONS)
        is_feature = lifetime in {RULED, *KEPT} or self.random.random() < 0.5
        name = f"{'feat' if is_feature else 'try'}-{number}"
        tags, due = self.lifetime(lifetime, account.now)
        kind = self.kind(template, name)
        if lifetime == PROTECTED and not tags:
            kind["termination_protection"] = True
        if deletion == NEVER:
            kind["resources"] = (Resource("Bucket", "AWS::S3::Bucket", f"{name}-bucket"),)
            account.stacks.resources.contents[f"{name}-bucket"] = 5
        made = account.make(
            name,
            tags | self.owner(owner),
            due=due,
            grace=OWNERLESS_GRACE if owner in {PLACEHOLDER, NOBODY} else GRACE,
            **kind,
        )
        if template == NESTED:
            account.stacks.create(f"{name}-child", parent_id=made.stack_id)
        if deletion == ONCE:
            account.stacks.fail(made.stack_id, 1, "network interface eni-1 is in use")
        self.drawn[made.stack_id] = (owner, lifetime, template, deletion)
        self.live(account, made)
        return made

    def owner(self, kind: str) -> dict[str, str]:
        """Draw the owner tag."""
        texts = {
            CLEAN: tuple(f"owner{n}@example.com" for n in range(20)),
            INSIDE: INSIDE_TEXTS,
            NAMED: NAMES,
            PLACEHOLDER: PLACEHOLDERS,
        }
        key = self.random.choice(["janitor:owner", "owner", "Owner"])
        return {key: self.random.choice(texts[kind])} if kind in texts else {}

    def lifetime(self, kind: str, now: datetime) -> tuple[dict[str, str], datetime | None]:
        """Draw the tags for a lifetime, and until when it is wanted."""
        days = self.random.randint(1, 10)
        if kind == TAGGED and self.random.random() < 0.5:
            return {"janitor:ttl": f"{days}d"}, now + days * DAY
        if kind == TAGGED:
            day = now.replace(hour=0, minute=0) + (days + 1) * DAY
            return {"janitor:expires": f"{day - DAY:%Y-%m-%d}"}, day - timedelta(seconds=1)
        if kind == RULED:
            return {}, now + RULE_TTL * DAY
        if kind == WORDED:
            text, length = self.random.choice(WORDS)
            return {"janitor:ttl": text}, now + length * DAY
        if kind == UNREADABLE:
            return {"janitor:ttl": self.random.choice(UNREADABLES)}, None
        return dict(self.random.choice(NEAR_MISSES if kind == NEAR_MISS else PROTECTIONS)), None

    def kind(self, template: str, name: str) -> dict[str, Any]:
        """Draw what CloudFormation shows of the template."""
        kind: dict[str, Any] = {"status": self.random.choice(STATUSES)}
        if template == CDK and self.random.random() < 0.7:
            kind["role"] = ROLE
        if template == EXPORTS and self.exports:
            kind["imports"] = (self.exports.pop(),)
        elif template == EXPORTS:
            kind["exports"] = (f"{name}-url",)
            self.exports.append(f"{name}-url")
        return kind

    def live(self, account: Account, made: Made) -> None:
        """Let people deploy again, extend and remove the stack."""
        random, lasts = self.random, round((made.due - account.now) / HOUR) if made.due else 240
        if self.does(REDEPLOYED):
            self.redeployed += 1
            tags: dict[str, str] | None = {} if self.redeployed % WITHOUT_TAGS == 0 else None
            when = account.now + random.randint(1, max(lasts - 1, 2)) * HOUR
            account.at(when, lambda account: account.redeploy(made, tags))
        if self.does(EXTENDED) and made.due:
            when, by = made.due - random.choice([3, 20, 40]) * HOUR, random.randint(1, 3) * DAY
            account.at(max(when, account.now + HOUR), lambda a: a.extend(made, by))
        if self.does(REMOVED):
            account.at(account.now + random.randint(1, lasts) * HOUR, lambda a: a.remove(made))
