"""The emulators that the contract suites run against, once per test process."""

import logging
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from janitor.entrypoints.demo.emulator import emulated_aws

REGION = "eu-central-1"
accounts = count(200_000_000_000)

Connect = Callable[..., Any]


@pytest.fixture(scope="session")
def ministack() -> Iterator[str]:
    """Run ministack, and yield its URL."""
    with emulated_aws() as url:
        yield url


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """Run moto's server, and yield its URL."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def connect(request: pytest.FixtureRequest) -> Connect:
    """Return a function that connects to a service of an emulator, in an account of this test."""
    account = str(next(accounts))

    def to(emulator: str, service: str, region: str = REGION) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=request.getfixturevalue(emulator),
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="testing",
            config=Config(max_pool_connections=60, retries={"max_attempts": 2}),
        )

    return to
