"""Many things at once, in threads that Ctrl-C leaves behind in good order."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Result = TypeVar("Result")

MOST_AT_ONCE = 128
"""Stacks and owners at work side by side; docs/adr/0012 says why so many."""
PATIENCE = 10.0
"""Seconds after an interruption in which what was begun may still end."""
ATTENTION = 0.5
"""Seconds until Ctrl-C is heard at the latest.

The kernel gives it to any thread, and Python lets only the main one act on it, which a wait
without an end does not wake up for.
"""


class Threads:
    """The `SideBySide` port on at most `most` threads, however many calls there are.

    An act may itself do things side by side: its thread then works along, with those that are
    free. `on_done` is told how many acts have ended so far, by one thread at a time.
    """

    def __init__(
        self,
        most: int,
        on_done: Callable[[int], None] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._free = threading.Semaphore(most)
        self._on_done = on_done
        self._patience = patience
        self._done = 0
        self._lock = threading.Lock()
        self._here = threading.local()

    def __call__(self, acts: Iterable[Callable[[], Result]]) -> list[Result]:
        run = _Run(iter(acts), self._start, self._count)
        try:
            if getattr(self._here, "works", False):
                run.work()
            elif not self._start(run.work):
                run.give_up(RuntimeError("no thread can be started"))
            while not run.ended.wait(ATTENTION):
                pass
        except BaseException:
            # Ctrl-C: nothing new begins, and what was begun is best brought to its end. An
            # act that hangs is left to itself, which is safe too: the next sweep finishes it.
            run.stop()
            run.ended.wait(self._patience)
            raise
        if run.error is not None:
            raise run.error
        return [run.results[place] for place in range(len(run.results))]

    def _start(self, work: Callable[[], None]) -> bool:
        """Start a thread if one is free.

        A daemon: threads of a pool are waited for when the interpreter ends, and one that sits
        in a call to a dead network would keep Ctrl-C waiting for minutes.
        """
        if not self._free.acquire(blocking=False):
            return False
        try:
            threading.Thread(target=self._work, args=(work,), daemon=True).start()
        except RuntimeError:
            self._free.release()  # The machine has no more: those there are will do.
            return False
        return True

    def _work(self, work: Callable[[], None]) -> None:
        self._here.works = True
        try:
            work()
        finally:
            self._free.release()

    def _count(self) -> None:
        with self._lock:
            self._done += 1
            if self._on_done:
                self._on_done(self._done)


class _Run(Generic[Result]):
    """One call's acts, taken by its threads one by one."""

    def __init__(
        self,
        acts: Iterator[Callable[[], Result]],
        start: Callable[[Callable[[], None]], bool],
        count: Callable[[], None],
    ) -> None:
        self.results: dict[int, Result] = {}
        self.error: BaseException | None = None
        self.ended = threading.Event()
        self._acts = acts
        self._start = start
        self._count = count
        self._lock = threading.Lock()
        self._taken = 0
        self._working = 1
        self._stopped = False

    def work(self) -> None:
        """Take one act after the other. Whoever has one calls another thread to the next."""
        while (taken := self._take()) is not None:
            place, act = taken
            self._call_another()
            try:
                self.results[place] = act()
                self._count()
            except BaseException as error:
                # Items keep their own errors, so this one is of the whole run.
                self._fail(error)
        self._leave()

    def stop(self) -> None:
        """Let nothing more begin."""
        with self._lock:
            self._stopped = True

    def give_up(self, error: BaseException) -> None:
        """End where no thread came to work."""
        self._fail(error)
        self._leave()

    def _take(self) -> tuple[int, Callable[[], Result]] | None:
        with self._lock:
            if self._stopped:
                return None
            try:
                act = next(self._acts)
            except StopIteration:
                self._stopped = True
                return None
            except BaseException as error:
                self.error = self.error or error
                self._stopped = True
                return None
            self._taken += 1
            return self._taken - 1, act

    def _call_another(self) -> None:
        with self._lock:
            if self._stopped:
                return
            self._working += 1
        if not self._start(self.work):
            self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._working -= 1
            if not self._working:
                self.ended.set()

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self.error = self.error or error
            self._stopped = True
