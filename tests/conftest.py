"""What holds for every test: no network but loopback, fake credentials, repeatable examples."""

import ipaddress
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.configuration import set_hypothesis_home_dir

ROOT = Path(__file__).resolve().parent.parent
NOWHERE = str(ROOT / ".cache" / "no-such-file")

FAKE_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_REGION": "eu-central-1",
    "AWS_CONFIG_FILE": NOWHERE,
    "AWS_SHARED_CREDENTIALS_FILE": NOWHERE,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "*",
}


class NetworkBlocked(Exception):
    """A test reached for something that is not on this machine."""


def is_loopback(host: object) -> bool:
    """Tell whether a host, as a socket call takes it, stays on this machine."""
    if isinstance(host, bytes):
        host = host.decode(errors="replace")
    if host is None or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(host).split("%")[0]).is_loopback
    except ValueError:
        return False


def block_network(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse to connect, to send, to look up or to listen beyond loopback.

    An audit hook sees every socket of this process, those of C code included, and cannot
    be taken away again. Unix sockets pass.
    """
    match event, arguments:
        case (("socket.connect" | "socket.sendto" | "socket.bind"), (_, (host, *_))):
            pass
        case (
            ("socket.getaddrinfo" | "socket.gethostbyname" | "socket.gethostbyaddr"),
            (host, *_),
        ):
            pass
        case _:
            return
    if not is_loopback(host):
        raise NetworkBlocked(f"{event}: {host!r} is not loopback; tests use 127.0.0.1 only")


def fake_environment() -> None:
    """Take every AWS setting and proxy of the person at the keyboard away, and put fakes."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "JANITOR_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(FAKE_ENVIRONMENT)


# At import, so that it also holds for what test modules do while they are collected.
fake_environment()
sys.addaudithook(block_network)

set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")
settings.register_profile(
    "ci",
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "soak",
    derandomize=False,
    deadline=None,
    print_blob=True,
    max_examples=1_000 * int(os.environ.get("SOAK", "1")),
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test the same environment, whatever the one before it did."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "JANITOR_")) and name not in FAKE_ENVIRONMENT:
            monkeypatch.delenv(name)
    for name, value in FAKE_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
