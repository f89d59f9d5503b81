"""Every error the janitor raises on purpose, under one root."""


class JanitorError(Exception):
    """The root: its text is one line that a person can act on."""


class ConfigurationError(JanitorError):
    """Settings, policy, credentials or tables are not usable: exit code 2."""


class PolicyError(ConfigurationError):
    """The policy document says something that it may not; one problem a line."""


class ClockError(ConfigurationError):
    """The clock stands before something that the ledger already records."""


class Conflict(JanitorError):
    """Somebody else wrote the record first; read it again and decide again."""


class StackNotFound(JanitorError):
    """No stack or lease answers to this name or id."""


class UnreadableRecord(JanitorError):
    """A lease is there, and nothing can be made of it: `why` says so without naming it."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"the lease of {key} cannot be read: {why}")
        self.key = key
        self.why = why


class UnreadableMessage(JanitorError):
    """A message of a queue that says nothing the janitor knows."""


class TagRefused(JanitorError):
    """The tags are not changed, and the lease stands all the same; `why` is one of `tag_ways.Why`."""

    def __init__(self, message: str, *, why: str = "limits") -> None:
        super().__init__(message)
        self.why = why


class DeleteRefused(JanitorError):
    """CloudFormation will not delete; `said` are AWS's own words alone, with the error code."""

    def __init__(self, message: str, *, said: str = "") -> None:
        super().__init__(message)
        self.said = said or message


class TooEarly(JanitorError):
    """A message goes back to its queue, to come again at its time."""


class Undeliverable(JanitorError):
    """The channel will never reach this contact: try the fallback."""


class DeliveryFailed(JanitorError):
    """The channel did not take the notice this time: try again later.

    `retry_after` is in how many seconds, where the channel said so.
    """

    def __init__(self, message: str, *, retry_after: int = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotHeard(DeliveryFailed):
    """The notice was put out where nobody is known to read it: it is no delivery."""


class TooLong(DeliveryFailed):
    """The channel takes no message of this size, now or later: send it in parts."""


class BadLink(JanitorError):
    """An extension link that is forged, too old, or meant for something else."""


class ExpiredLink(BadLink):
    """A link that was ours, and is too old by now."""


class ExtensionRefused(JanitorError):
    """The extension is not granted; the text says why and what to do."""


class LiftRefused(JanitorError):
    """What is held is not accepted; the text says why and what to do."""
