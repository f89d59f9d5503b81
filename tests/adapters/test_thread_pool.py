"""Doing things side by side: order, bounds, errors, and Ctrl-C."""

import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from janitor.adapters.thread_pool import Threads
from janitor.application.ports import SideBySide, in_turn


def press_ctrl_c(thread: int | None = None) -> None:
    """Send what a terminal sends, to the main thread or to another."""
    signal.pthread_kill(thread or threading.main_thread().ident or 0, signal.SIGINT)


@pytest.mark.parametrize("side_by_side", [in_turn, Threads(1), Threads(3), Threads(64)])
def test_results_come_in_the_order_of_the_acts(side_by_side: SideBySide) -> None:
    """For whatever number of threads, and for nothing to do as well."""
    assert side_by_side(partial(int, n) for n in range(100)) == list(range(100))
    assert side_by_side([]) == []


def test_results_come_in_that_order_whichever_act_ended_first() -> None:
    """Fails if `Threads` appends results as they come: `list(run.results.values())`."""
    second_is_done = threading.Event()

    def first() -> int:
        assert second_is_done.wait(10)
        return 1

    def second() -> int:
        second_is_done.set()
        return 2

    assert Threads(2)([first, second]) == [1, 2]


def test_as_many_run_at_once_as_may_and_no_more() -> None:
    """Fails without the semaphore's bound: `if not self._free.acquire(blocking=False)`."""
    all_four = threading.Barrier(4)
    lock, running, most = threading.Lock(), 0, 0

    def act() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        all_four.wait(10)
        with lock:
            running -= 1

    Threads(4)([act] * 40)
    assert most == 4


@pytest.mark.parametrize("most", [1, 2, 5])
def test_an_act_may_itself_do_things_side_by_side(most: int) -> None:
    """No thread waits for one that cannot come, and the bound holds over all of them.

    Fails (hangs) if the caller does not work along: `if getattr(self._here, "works", False)`.
    """
    threads = Threads(most)
    names: set[str] = set()

    def inner(n: int, m: int) -> int:
        names.add(threading.current_thread().name)
        return 10 * n + m

    def outer(n: int) -> list[int]:
        return threads(partial(inner, n, m) for m in range(5))

    assert threads(partial(outer, n) for n in range(7)) == [
        [10 * n + m for m in range(5)] for n in range(7)
    ]
    assert threading.main_thread().name not in names


def test_the_next_act_is_asked_for_only_when_it_can_begin() -> None:
    """What decides whether there is time for another one is asked in between."""
    done: list[int] = []
    seen: list[int] = []

    def acts() -> Iterator[Callable[[], None]]:
        for n in range(5):
            seen.append(len(done))
            yield partial(done.append, n)

    Threads(1)(acts())
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("most", [1, 4])
def test_after_an_error_nothing_begins_and_what_was_begun_ends(most: int) -> None:
    """Then it is raised. Items keep their own errors; this one is of the whole run."""
    ended: list[int] = []

    def act(n: int) -> None:
        if n == 3:
            raise KeyError(n)
        ended.append(n)

    def acts() -> Iterator[Callable[[], None]]:
        for n in range(4):
            yield partial(act, n)
        while True:  # An error must end this.
            yield partial(act, 4)

    with pytest.raises(KeyError):
        Threads(most)(acts())
    assert {0, 1, 2} <= set(ended)


def test_an_error_in_choosing_the_next_act_is_raised_too() -> None:
    """For instance by the clock that says how much time is left."""
    done: list[int] = []

    def acts() -> Iterator[Callable[[], None]]:
        yield partial(done.append, 1)
        raise ValueError("no clock")

    with pytest.raises(ValueError, match="no clock"):
        Threads(4)(acts())
    assert done == [1]


@pytest.mark.parametrize("to_main", [True, False])
def test_ctrl_c_lets_nothing_begin_and_lets_end_what_was_begun(*, to_main: bool) -> None:
    """Fails without `run.stop()`, without waiting after it, and where a wait has no end.

    The kernel may give it to any thread; the main one must hear of it all the same.
    """
    begun: list[int] = []
    ended: list[int] = []
    interrupted = threading.Event()

    def act(n: int) -> None:
        begun.append(n)
        if len(begun) == 3:
            press_ctrl_c(None if to_main else threading.get_ident())
            interrupted.set()
        interrupted.wait(10)
        threading.Event().wait(0.2)  # Long enough for the main thread to have heard of it.
        ended.append(n)

    with pytest.raises(KeyboardInterrupt):
        Threads(3)(partial(act, n) for n in range(1000))
    assert sorted(ended) == sorted(begun)
    assert len(begun) < 1000


def test_ctrl_c_does_not_wait_for_a_call_that_hangs() -> None:
    """A dead network must not keep a person at the terminal."""
    for_ever = threading.Event()

    def act() -> None:
        press_ctrl_c()
        for_ever.wait()

    with pytest.raises(KeyboardInterrupt):
        Threads(1, patience=0.01)([act])
    for_ever.set()


def test_progress_counts_over_all_calls() -> None:
    """A sweep applies, notifies and deletes: three calls, one count."""
    counts: list[int] = []
    threads = Threads(4, counts.append)
    for _ in range(3):
        threads(partial(int, n) for n in range(4))
    assert counts == list(range(1, 13))


def test_fewer_threads_than_asked_for_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small machine may refuse to start another one; with none at all that is an error."""
    start, allowed = threading.Thread.start, 2

    def limited(self: threading.Thread) -> None:
        nonlocal allowed
        if not allowed:
            raise RuntimeError("can't start new thread")
        allowed -= 1
        start(self)

    monkeypatch.setattr(threading.Thread, "start", limited)
    assert Threads(8)(partial(int, n) for n in range(50)) == list(range(50))
    assert allowed == 0
    with pytest.raises(RuntimeError, match="no thread can be started"):
        Threads(8)([int])
