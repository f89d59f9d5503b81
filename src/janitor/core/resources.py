"""What a stack consists of, as CloudFormation tells it."""

from dataclasses import dataclass

from janitor.core.statuses import HALF_DELETED


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of a stack. Its ids and its reason are other people's text."""

    logical_id: str
    type: str
    physical_id: str = ""
    status: str = ""
    reason: str = ""
    policy: str = ""
    """Its DeletionPolicy, where that is not to delete."""

    def __str__(self) -> str:
        return f"{self.logical_id} ({self.type} {self.physical_id or 'without an id'})"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a stack consists of right before it is deleted."""

    resources: tuple[Resource, ...] = ()
    template: str = ""
    """The hash of the template, or why there is none."""

    @property
    def failed(self) -> tuple[Resource, ...]:
        """Return what an earlier deletion could not delete."""
        return tuple(one for one in self.resources if one.status == HALF_DELETED)
