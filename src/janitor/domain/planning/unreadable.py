"""What is there but cannot be read: never new, never gone, never a reason to stop the rest."""

from collections.abc import Iterable

from msgspec import Struct

from janitor.domain.lease.owners import clean
from janitor.domain.model import Lease


class Unread(Struct, frozen=True):
    """One stack of a listing that says nothing usable of itself, by whatever names it."""

    stack_id: str
    name: str
    why: str

    @property
    def key(self) -> str:
        """Return what names it best."""
        return self.stack_id or self.name or "a stack without id or name"

    def may_be(self, lease: Lease) -> bool:
        """Tell whether this may be the stack of `lease`, which is then not gone."""
        if self.stack_id:
            return self.stack_id == lease.stack_id
        return self.name in ("", lease.name)


def left_alone(lease: Lease, unread: Iterable[Unread]) -> str:
    """Say why the stack of a lease that no listing shows is not taken for gone; or nothing."""
    for one in unread:
        if one.may_be(lease):
            return f"left alone: {stack_unread(one)}"
    return ""


def stack_unread(one: Unread) -> str:
    """Say what is wrong with a stack of the listing."""
    return f"what CloudFormation says of it cannot be read: {clean(one.why)}"


def lease_unread(why: str) -> str:
    """Say what is wrong with a record."""
    return f"its lease cannot be read: {clean(why)}"
