"""The pins: hashed, complete, equal to each other, and silent about where they come from."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import janitor

ROOT = Path(__file__).resolve().parents[2]
LOCKS = [
    "requirements/dev.txt",
    "requirements/runtime.txt",
    "requirements/lambda.txt",
    "requirements/sam.txt",
    "requirements/emulator.txt",
    "requirements/peers.txt",
]

# In two halves, so that this file does not name one either.
HOSTS = [
    "pypi" + ".org",
    "pypi" + ".python.org",
    "python" + "hosted.org",
    "registry.npm" + "js.org",
    "conda.ana" + "conda.org",
]
OPTIONS = ["--index" + "-url", "--extra-index" + "-url", "--find" + "-links", "--trusted" + "-host"]


def tracked() -> list[Path]:
    """List the files that a commit would hold."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = [name for name in listed.stdout.split("\0") if name]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def hosts_named(text: str) -> list[str]:
    """List the package hosts, and the options that name one, which stand in a text."""
    words = re.sub(r"--no-emit-index" + "-url", "", text.lower())
    return [host for host in HOSTS + OPTIONS if host in words]


def pins(lock: str) -> dict[str, tuple[str, int]]:
    """Return version and number of hashes by package and marker."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            name, _, rest = line.partition("==")
            version, _, marker = rest.partition("--hash")[0].partition(";")
            key = f"{name.strip()} {marker.strip()}".strip()
            found[key] = (version.strip(), line.count("--hash=sha256:"))
    return found


def test_no_tracked_file_names_a_package_host() -> None:
    """Where packages come from is for the machine to say, not for the repository."""
    files = tracked()
    if not files:
        pytest.skip("not a git checkout")
    named = {
        str(path.relative_to(ROOT)): hosts
        for path in files
        if (hosts := hosts_named(path.read_bytes().decode(errors="replace")))
    }
    assert named == {}


@pytest.mark.parametrize("host", HOSTS + OPTIONS)
def test_a_package_host_is_noticed(host: str) -> None:
    """The test above would see each of them."""
    assert hosts_named(f"# see https://{host.upper()}/simple") != []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    """A pin without one would stop `make setup`, which demands them all."""
    assert pins(lock)
    assert [
        name for name, (version, hashes) in pins(lock).items() if not (version and hashes)
    ] == []


def test_what_is_deployed_is_what_was_tested() -> None:
    """Each runtime pin is also a development pin, at the same version."""
    tested = pins("requirements/dev.txt").items()
    assert pins("requirements/runtime.txt").items() <= tested
    assert pins("requirements/lambda.txt").items() <= tested


def test_the_lock_holds_everything_that_the_project_asks_for() -> None:
    """Somebody who adds a dependency and forgets `make lock` is told here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = {
        "requirements/runtime.txt": project["project"]["dependencies"],
        "requirements/dev.txt": [
            *project["project"]["dependencies"],
            *project["project"]["optional-dependencies"]["demo"],
            *project["project"]["optional-dependencies"]["lambda"],
            *project["dependency-groups"]["dev"],
            *project["build-system"]["requires"],
        ],
    }
    for lock, requirements in asked.items():
        held = {key.split()[0].replace("_", "-") for key in pins(lock)}
        names = {re.split(r"[\[<>=!~; ]", one)[0].lower().replace("_", "-") for one in requirements}
        assert names - held == set()


def test_the_version_has_one_source() -> None:
    """pyproject.toml takes the version from the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" in project["dynamic"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", janitor.__version__)
