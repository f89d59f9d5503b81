"""What a sweep asks CloudFormation about stacks that are due, before it decides about them."""

from collections.abc import Callable

from msgspec import Struct, field

from janitor.application.ports import Stacks
from janitor.domain.errors import JanitorError
from janitor.domain.failures import bug_text, failed
from janitor.domain.model import Outcome, Stack
from janitor.domain.planning.export_order import Imports, by_others


class Asking(Struct, frozen=True):
    """Questions about one stack each, put from any thread; `broken` has what the code failed at."""

    stacks: Stacks
    may_go_on: Callable[[], bool]
    broken: list[Outcome] = field(default_factory=list)

    def is_protected(self, stack_id: str) -> bool:
        """Ask for termination protection; where that fails the stack counts as one to go."""
        try:
            seen = self.stacks.describe(stack_id) if self.may_go_on() else None
        except JanitorError:
            return False
        except Exception as error:
            self.broken.append(failed(stack_id, "describe", error))
            return False
        return seen is not None and seen.termination_protection

    def importers_of(self, stack: Stack) -> Imports:
        """Ask who imports what a stack exports; what cannot be read holds the stack up."""
        names: dict[str, tuple[str, ...]] = {}
        try:
            for export in stack.exports:
                if not self.may_go_on():
                    return Imports(error="the sweep is out of time")
                names[export] = self.stacks.importers(stack.stack_id, export)
        except JanitorError as error:
            return Imports(error=str(error))
        except Exception as error:
            self.broken.append(failed(stack.stack_id, "importers", error))
            return Imports(error=bug_text(error))
        return by_others(stack, names)
