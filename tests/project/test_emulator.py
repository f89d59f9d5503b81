"""The embedded AWS keeps to this machine, starts with nothing of ours, and ends."""

import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from janitor.domain.errors import ConfigurationError
from janitor.entrypoints.demo import emulator
from janitor.entrypoints.demo.emulator import emulated_aws


def test_the_emulator_listens_on_loopback_alone_and_is_gone_afterwards() -> None:
    """Nothing of it stays behind."""
    with emulated_aws() as url:
        assert url.startswith("http://127.0.0.1:")
        port = int(url.rsplit(":", 1)[1])
        assert listening(port) == {"0100007F"}
    assert listening(port) == set()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(url, timeout=2)  # noqa: S310 - it is loopback


def listening(port: int) -> set[str]:
    """Return the addresses, as the kernel writes them, that are listened on at a port."""
    rows = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    sockets = [row.split() for row in rows]
    return {
        fields[1].split(":")[0]
        for fields in sockets
        if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port
    }


def test_without_ministack_the_way_to_get_it_is_said() -> None:
    """It is an extra, which a deployment does not need."""
    script = """
import sys
sys.modules["ministack"] = None
from janitor.domain.errors import ConfigurationError
from janitor.entrypoints.demo.emulator import emulated_aws
try:
    emulated_aws().__enter__()
except ConfigurationError as error:
    print(error)
"""
    source = Path(emulator.__file__).parents[3]
    told = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(source)},
    ).stdout
    assert "pip install 'ministack" in told


def test_an_emulator_that_does_not_start_says_what_it_said() -> None:
    """Rather than to wait for a minute."""
    with pytest.raises(ConfigurationError, match=r"did not start: .*invalid literal"):
        emulated_aws(GATEWAY_PORT="no-number").__enter__()
