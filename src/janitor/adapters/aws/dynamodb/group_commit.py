"""Calls of many threads that are made as one, as a database commits a group."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Together(Generic[Item, Result]):
    """One kind of call: while some are under way, those that come meanwhile wait, and go as one.

    A thread alone waits for nobody and calls `alone`. `together` gets what has waited and
    returns the results by their place; whatever it leaves out, or all if it raises, each
    thread calls `alone` for, so that no item can spoil another's.
    """

    def __init__(
        self,
        alone: Callable[[Item], Result],
        together: Callable[[Sequence[Item]], Mapping[int, Result]],
        most: int,
        at_once: int,
    ) -> None:
        self._alone = alone
        self._together = together
        self._most = most
        self._at_once = at_once
        self._lock = threading.Lock()
        self._under_way = 0
        self._waiting: deque[_Ticket[Item, Result]] = deque()

    def __call__(self, item: Item) -> Result:
        """Make the call for `item`, and return or raise what came of it."""
        ticket: _Ticket[Item, Result] = _Ticket(item)
        with self._lock:
            ticket.leads = self._under_way < self._at_once
            if ticket.leads:
                self._under_way += 1
            else:
                self._waiting.append(ticket)
        if not ticket.leads:
            ticket.called.wait()
        if ticket.leads:
            with self._leading() as others:
                if not others:
                    return self._alone(item)
                self._go([ticket, *others])
        return ticket.results[0] if ticket.results else self._alone(item)

    @contextmanager
    def _leading(self) -> "Iterator[list[_Ticket[Item, Result]]]":
        """Take who waits along; afterwards free them, and let the next one lead."""
        with self._lock:
            most = min(len(self._waiting), self._most - 1)
            others = [self._waiting.popleft() for _ in range(most)]
        try:
            yield others
        finally:
            for ticket in others:
                ticket.called.set()
            with self._lock:
                if self._waiting:
                    following = self._waiting.popleft()
                    following.leads = True
                    following.called.set()
                else:
                    self._under_way -= 1

    def _go(self, tickets: "Sequence[_Ticket[Item, Result]]") -> None:
        try:
            found = self._together([ticket.item for ticket in tickets])
        except Exception:
            return  # Whose fault it was shows when each is alone.
        for place, result in found.items():
            tickets[place].results.append(result)


class _Ticket(Generic[Item, Result]):
    """One thread's item, and what came of it."""

    __slots__ = ("called", "item", "leads", "results")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.leads = False
        self.called = threading.Event()
        self.results: list[Result] = []
