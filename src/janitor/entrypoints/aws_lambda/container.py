"""What the deployed functions are made of, built when first needed and kept while warm."""

from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property, lru_cache

from msgspec import Struct

from janitor.adapters.aws.session import Aws, connect
from janitor.application.ports import (
    Archive,
    Channel,
    Ledger,
    Policies,
    Purger,
    Queue,
    SideBySide,
    Stacks,
    Topic,
)
from janitor.bootstrap import (
    archive_of,
    channel_of,
    ledger_of,
    links_of,
    place_of,
    policies_of,
    postpone_of,
    purgers_of,
    queue_of,
    side_by_side_of,
    stacks_of,
    topic_of,
)
from janitor.domain.errors import ConfigurationError, JanitorError
from janitor.domain.notification.commands import Place
from janitor.domain.notification.signed_links import Links
from janitor.domain.policy.model import Policy
from janitor.entrypoints.aws_lambda.journal_log import log_event
from janitor.settings import Settings, is_lambda, settings_now
from janitor.slack_bootstrap import signing_secret_of


class Deployed(Struct, frozen=True, dict=True):
    """One function's view of the world; it has only what its role lets it reach."""

    settings: Settings

    @cached_property
    def aws(self) -> Aws:
        """Return the session of the function's own role."""
        return connect(self.settings, check_regions=False)

    @cached_property
    def policies(self) -> Policies:
        """Return policy and mode, read anew at every call."""
        return policies_of(self.settings, self.aws)

    @cached_property
    def stacks(self) -> Stacks:
        """Return CloudFormation."""
        return stacks_of(self.aws)

    @cached_property
    def purgers(self) -> Mapping[str, Purger]:
        """Return who empties buckets and repositories, where policy or tag opted in."""
        return purgers_of(self.aws)

    @cached_property
    def ledger(self) -> Ledger:
        """Return leases and journal."""
        return ledger_of(self.settings, self.aws, log_event)

    @cached_property
    def archive(self) -> Archive:
        """Return where the journal is kept once more."""
        return archive_of(self.settings, self.aws)

    @cached_property
    def queue(self) -> Queue:
        """Return the queues of notices and deletions."""
        return queue_of(self.settings, self.aws)

    @cached_property
    def channel(self) -> Channel:
        """Return the way to reach people."""
        channel = channel_of(self.settings, self.aws, print)
        if channel is None:
            raise ConfigurationError("JANITOR_NOTIFY must be set; template.yaml does so")
        return channel

    @property
    def place(self) -> Place:
        """Return where the commands in notices find this janitor."""
        return place_of(self.settings, self.aws)

    @cached_property
    def topic(self) -> Topic | None:
        """Return the topic that somebody has to be seen to hear."""
        return topic_of(self.settings, self.aws)

    @property
    def side_by_side(self) -> SideBySide:
        """Return the threads in which a sweep works."""
        return side_by_side_of()

    @property
    def links(self) -> Links:
        """Return the signer with the keys of this moment: a key may be rotated any time."""
        return links_of(self.settings, self.aws)

    def postpone(self, queue: str, receipt: str, seconds: int) -> None:
        """Give a message back to its queue, for later; where that fails it comes back by itself."""
        with suppress(JanitorError):
            postpone_of(self.aws, queue, receipt, seconds)

    def signing_secret(self) -> str:
        """Return what Slack signs with, as it is now."""
        return signing_secret_of(self.settings, self.aws.client)

    def regions(self) -> tuple[str, ...]:
        """Return the regions that the policy names, or the function's own."""
        return self.policies.policy().regions or (self.aws.home,)


@lru_cache
def of_this_process() -> Deployed:
    """Read the settings once, and build on them."""
    return Deployed(settings_now())


def deployed(*needs: str) -> Deployed:
    """Return what this function is made of, once the settings in `needs` were seen to be there.

    Raises `ConfigurationError` naming the variable that is wrong or missing.
    """
    janitor = of_this_process()
    janitor.settings.require("policy", "mode_parameter", *needs)
    return janitor


def warm() -> None:
    """Make what every function needs, so that its first call finds them.

    While a function starts it has a whole processor, and afterwards a third of one. What is
    wrong with the settings is said by that call, which somebody hears.
    """
    with suppress(Exception):
        Policy.model_rebuild()
        for part in ("policies", "ledger"):
            getattr(of_this_process(), part)


# The one thing that is done at import (ADR 0011), and by Lambda alone.
if is_lambda():
    warm()
