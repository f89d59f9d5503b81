"""Calls of many threads made as one: who goes with whom, and whose error is whose."""

import threading
from collections.abc import Mapping, Sequence
from functools import partial

import pytest

from janitor.adapters.aws.dynamodb.group_commit import Together
from janitor.adapters.thread_pool import Threads


class Line:
    """Something that doubles numbers, and remembers how it was asked.

    The first call made alone waits until `most` have been asked for, so that the rest waits.
    """

    def __init__(self, threads: int = 1, most: int = 100, bad: Sequence[int] = ()) -> None:
        self.alone: list[int] = []
        self.groups: list[list[int]] = []
        self.bad = bad
        self.left_out: set[int] = set()
        self.go = threading.Event()
        self.double = Together(self._alone, self._together, most, at_once=1)
        self.threads = Threads(threads)

    def _alone(self, n: int) -> int:
        first = not self.alone
        self.alone.append(n)
        if first:
            assert self.go.wait(10)
        if n in self.bad:
            raise ValueError(f"bad {n}")
        return 2 * n

    def _together(self, numbers: Sequence[int]) -> Mapping[int, int]:
        self.groups.append(list(numbers))
        if set(numbers) & set(self.bad):
            raise ValueError("one of them is bad")
        return {at: 2 * n for at, n in enumerate(numbers) if n not in self.left_out}

    def run(self, count: int) -> list[int | str]:
        """Ask for each number in a thread of its own, all of them before the first ends."""

        def one(n: int) -> int | str:
            if n == count - 1:
                threading.Thread(target=self._open, args=(count,), daemon=True).start()
            try:
                return self.double(n)
            except ValueError as error:
                return str(error)

        return Threads(count)(partial(one, n) for n in range(count))

    def _open(self, count: int) -> None:
        while len(self.double._waiting) < count - 1:
            pass
        self.go.set()


def test_a_thread_alone_waits_for_nobody() -> None:
    """And its call is made as if there were no grouping."""
    line = Line()
    line.go.set()
    assert [line.double(n) for n in range(3)] == [0, 2, 4]
    assert (line.alone, line.groups) == ([0, 1, 2], [])


def test_those_that_come_meanwhile_go_together() -> None:
    """Each gets its own answer."""
    line = Line()
    assert line.run(6) == [0, 2, 4, 6, 8, 10]
    assert len(line.alone) == 1
    assert [len(group) for group in line.groups] == [5]


def test_a_group_is_never_larger_than_it_may_be() -> None:
    """Fails with `most = len(self._waiting)`."""
    line = Line(most=3)
    assert line.run(8) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert max(len(group) for group in line.groups) == 3


def test_one_that_spoils_the_group_spoils_it_for_itself_alone() -> None:
    """Fails if the group's error goes to everybody: `raise` in `_go`."""
    line = Line(bad=[3])
    assert line.run(6) == [0, 2, 4, "bad 3", 8, 10]
    assert sorted(line.alone) == [0, 1, 2, 3, 4, 5]


def test_what_the_group_leaves_out_is_done_alone() -> None:
    """For which there was no room, say."""
    line = Line()
    line.left_out = {2, 4}
    assert line.run(6) == [0, 2, 4, 6, 8, 10]
    assert {2, 4} <= set(line.alone)


def test_an_end_of_the_process_in_one_thread_frees_the_others() -> None:
    """Fails if the waiting are freed only after a call that went well (no `finally`)."""

    class End(BaseException):
        pass

    def together(numbers: Sequence[int]) -> Mapping[int, int]:
        raise End

    line = Line()
    line.double = Together(line._alone, together, 100, at_once=1)
    with pytest.raises(End):
        line.run(6)
    assert line.double(7) == 14
    assert not line.double._waiting


def test_nobody_is_forgotten_however_many_come() -> None:
    """Thousands of calls from many threads, and each is answered."""
    lock, calls = threading.Lock(), 0

    def together(numbers: Sequence[int]) -> Mapping[int, int]:
        nonlocal calls
        with lock:
            calls += 1
        return {at: 2 * n for at, n in enumerate(numbers)}

    double = Together(lambda n: 2 * n, together, 7, at_once=2)
    assert Threads(32)(partial(double, n) for n in range(5000)) == [2 * n for n in range(5000)]
    assert not double._waiting
    assert double._under_way == 0
