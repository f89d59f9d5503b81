"""Ports that fail on a schedule: before or after taking effect, by an error or by a crash."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar, cast

from janitor.domain.errors import JanitorError

Port = TypeVar("Port")


class Crash(BaseException):
    """The process ends here. No journey may swallow it."""


class Injected(JanitorError):
    """A call that failed; whether it took effect the caller cannot know."""


class Fault(StrEnum):
    """What befalls one call."""

    FAIL = "fails before it takes effect"
    TIMEOUT = "takes effect, and then times out"
    CRASH_BEFORE = "the process ends before it takes effect"
    CRASH_AFTER = "the process ends right after it took effect"
    MEANWHILE = "passes, but another hand acts right before it"


@dataclass
class Schedule:
    """Which of the calls to come is hit, counted over all ports together."""

    faults: Mapping[int, Fault] = field(default_factory=dict)
    meanwhile: Callable[[], None] = lambda: None
    calls: int = 0
    hit: list[Fault] = field(default_factory=list)

    def next(self) -> Fault | None:
        """Return what befalls the call that is being made."""
        fault = self.faults.get(self.calls)
        self.calls += 1
        if fault is not None:
            self.hit.append(fault)
        return fault


class Faulty:
    """Any port, each of whose calls the present schedule may hit."""

    def __init__(self, port: object, schedule: Callable[[], Schedule]) -> None:
        self._port = port
        self._schedule = schedule

    def __getattr__(self, name: str) -> Any:
        """Return the port's method, with the schedule before and after it."""
        method = getattr(self._port, name)
        if not callable(method):
            return method

        def call(*args: Any, **kwargs: Any) -> Any:
            schedule = self._schedule()
            fault = schedule.next()
            match fault:
                case Fault.FAIL:
                    raise Injected(f"{name} failed")
                case Fault.CRASH_BEFORE:
                    raise Crash(name)
                case Fault.MEANWHILE:
                    schedule.meanwhile()
                case _:
                    pass
            result = method(*args, **kwargs)
            if isinstance(result, Iterator):
                result = iter(list(result))
            if fault is Fault.TIMEOUT:
                raise Injected(f"{name} timed out")
            if fault is Fault.CRASH_AFTER:
                raise Crash(name)
            return result

        return call


def faulty(port: Port, schedule: Callable[[], Schedule]) -> Port:
    """Return `port` with faults; to its caller it is the same protocol."""
    return cast("Port", Faulty(port, schedule))
