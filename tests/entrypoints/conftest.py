"""An emulated account for each test of the entry points that wants one."""

from collections.abc import Iterator

import pytest
from tests.entrypoints.command_line import CommandLine

from janitor.entrypoints.demo.emulator import emulated_aws


@pytest.fixture
def janitor() -> Iterator[CommandLine]:
    """Return the command line on an account of its own, with its tables made."""
    with emulated_aws() as url:
        command_line = CommandLine(url)
        assert command_line("init").code == 0
        yield command_line


@pytest.fixture(scope="session")
def account() -> Iterator[CommandLine]:
    """Return the command line on an account that tests share, and so leave as it is."""
    with emulated_aws() as url:
        command_line = CommandLine(url)
        assert command_line("init").code == 0
        yield command_line
