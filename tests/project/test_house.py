"""The guards of tests/conftest.py hold."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import boto3
import pytest


def test_no_test_connects_beyond_loopback() -> None:
    """A connection to another machine is refused before a packet leaves."""
    with socket.socket() as one, pytest.raises(Exception, match="is not loopback"):
        one.connect(("192.0.2.1", 80))


def test_no_test_looks_up_another_machine() -> None:
    """A name is not even looked up."""
    with pytest.raises(Exception, match="is not loopback"):
        socket.getaddrinfo("example.com", 80)


def test_no_test_listens_for_other_machines() -> None:
    """A server that forgets to name 127.0.0.1 is refused."""
    with socket.socket() as one, pytest.raises(Exception, match="is not loopback"):
        one.bind(("", 0))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_works(host: str) -> None:
    """A server and a client on this machine find each other."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((host, port)) as client:
            assert client.getpeername()[1] == port


def test_credentials_are_fake_and_no_file_of_the_person_is_read() -> None:
    """A mistake in a test cannot reach the account of whoever runs it."""
    credentials = boto3.Session().get_credentials()
    assert credentials is not None
    assert credentials.access_key == "testing"
    assert not Path(os.environ["AWS_CONFIG_FILE"]).exists()
    assert not Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]).exists()


def test_importing_everything_needs_no_environment_and_no_network() -> None:
    """Nothing at import reads the environment or opens a client."""
    script = """
import importlib, os, pkgutil, sys
os.environ.clear()
def hook(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo"}:
        raise SystemExit(event)
import janitor
names = [m.name for m in pkgutil.walk_packages(janitor.__path__, "janitor.")]
sys.addaudithook(hook)
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
