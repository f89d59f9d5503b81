"""An AWS on this machine, for the demo and the tests: ministack in a process of its own."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from janitor.domain.errors import ConfigurationError

FAKE_CREDENTIALS = {
    "aws_access_key_id": "testing",
    "aws_secret_access_key": "testing",
    "aws_session_token": "testing",
}
_PASSED_ON = ("PATH", "HOME", "LANG", "SYSTEMROOT", "VIRTUAL_ENV")
_START_SECONDS = 60.0


@contextmanager
def emulated_aws(*, python: str = sys.executable, **settings: str) -> Iterator[str]:
    """Run an emulator on a free port of 127.0.0.1 and yield its URL; stop it afterwards.

    It gets nothing of this environment but the path, and keeps its data in a directory
    that goes with it. `settings` are more environment variables of ministack, `python` is
    the interpreter that has it.
    """
    if python == sys.executable and find_spec("ministack") is None:
        raise ConfigurationError(
            "the embedded AWS is not installed: pip install 'ministack>=1.5.33'"
        )
    with tempfile.TemporaryDirectory(prefix="janitor-aws-") as directory:
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        log = Path(directory) / "log"
        environment = {
            **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",  # would listen on 0.0.0.0:8883
            "SFTP_ENABLED": "0",  # as above, on 2222
            "LOG_LEVEL": "ERROR",
            "TMPDIR": directory,
            "S3_DATA_DIR": directory,
            "STATE_DIR": directory,
            "AWS_EC2_METADATA_DISABLED": "true",
            **settings,
        }
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - the interpreter is named by our own code
                [python, "-m", "ministack"],
                env=environment,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            _wait_until_ready(url, process, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def nothing_but(url: str, region: str) -> Iterator[None]:
    """Let this process know no AWS but the emulator at `url`, no proxy and no settings of ours."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("AWS_", "JANITOR_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ |= {name.upper(): value for name, value in FAKE_CREDENTIALS.items()}
    os.environ |= {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    # Without the proxies of the environment, which know nothing of this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with opener.open(f"{url}/_ministack/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    tail = " ".join(log.read_text(errors="replace").split())[-300:]
    raise ConfigurationError(f"the embedded AWS did not start: {tail or 'no output'}")
