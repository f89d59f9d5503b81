"""The rooms of DESIGN.md §6 hold: imports go down, core is pure, nothing acts at import."""

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "janitor"

# What a room may import, by the longest name that fits; "janitor" is the bare package root.
MAY_IMPORT = {
    "janitor": set(),
    "janitor.core": {"janitor", "janitor.core"},
    "janitor.journeys": {"janitor", "janitor.core", "janitor.journeys", "janitor.adapters.ports"},
    "janitor.adapters": {"janitor", "janitor.core", "janitor.adapters"},
    "janitor.adapters.ports": {"janitor", "janitor.core"},
    "janitor.pages": {"janitor", "janitor.core", "janitor.pages"},
    "janitor.settings": {"janitor", "janitor.core"},
    "janitor.aws": {"janitor", "janitor.core", "janitor.adapters", "janitor.settings"},
    "janitor.wiring": {
        "janitor",
        "janitor.aws",
        "janitor.core",
        "janitor.journeys",
        "janitor.adapters",
        "janitor.settings",
        "janitor.pages",
        "janitor.wiring_slack",
    },
    "janitor.wiring_slack": {"janitor", "janitor.core", "janitor.adapters", "janitor.settings"},
    "janitor.entrypoints": {
        "janitor",
        "janitor.core",
        "janitor.journeys",
        "janitor.adapters.ports",
        "janitor.settings",
        "janitor.aws",
        "janitor.wiring",
        "janitor.wiring_slack",
        "janitor.pages",
        "janitor.entrypoints",
    },
    "janitor.__main__": {"janitor.entrypoints"},
}

# Clock, chance, environment, files, processes, network and logging: not in core.
# fmt: off
IMPURE_MODULES = {
    "asyncio", "boto3", "botocore", "concurrent", "getpass", "http", "httpx", "importlib",
    "io", "locale", "logging", "multiprocessing", "os", "pathlib", "platform", "queue",
    "random", "requests", "secrets", "select", "shutil", "signal", "socket", "ssl",
    "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "urllib3",
    "warnings",
}
# fmt: on
IMPURE_CALLS = {"open", "input", "print", "exec", "eval", "__import__"}
IMPURE_METHODS = {"now", "utcnow", "today", "uuid1", "uuid4", "urandom", "read_text", "write_text"}

ENVIRONMENT = {"environ", "environb", "getenv", "getenvb"}
# emulator.py hands its environment on to the embedded AWS, which is a process of its own.
MAY_READ_ENVIRONMENT = {"settings.py", "wiring.py", "entrypoints/emulator.py"}
CLIENT_MAKERS = {"client", "resource", "Session"}
MAY_MAKE_CLIENTS = {"aws.py", "wiring.py"}


def module_of(path: str) -> str:
    """Return the dotted name of a file, given its path under src/janitor."""
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(["janitor", *(part for part in parts if part != "__init__")])


def longest_fit(module: str, names: set[str]) -> str:
    """Return the longest of `names` that `module` is or lies in; empty if there is none."""
    fitting = [
        name
        for name in names
        if module == name or (name != "janitor" and module.startswith(f"{name}."))
    ]
    return max(fitting, key=len, default="")


def imports_of(tree: ast.Module, path: str) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of every module that a file imports, wherever it does."""
    module = module_of(path)
    package = module if path.endswith("__init__.py") else module.rpartition(".")[0]
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=source, names=names, level=level):
                if level:
                    above = package.split(".")[: len(package.split(".")) - level + 1]
                    source = ".".join([*above, source] if source else above)
                for alias in names:
                    full = f"{source}.{alias.name}"
                    # `from janitor import core` names a room, `from janitor import __version__`
                    # the bare root.
                    yield node.lineno, full if is_ours_and_a_module(full) else str(source)
            case _:
                pass


def is_ours_and_a_module(name: str) -> bool:
    """Tell whether a dotted name is a room or a file of the janitor, not something in one."""
    if name in MAY_IMPORT:
        return True
    place = SOURCE.parent / Path(*name.split("."))
    return name.startswith("janitor.") and (place.is_dir() or place.with_suffix(".py").is_file())


def at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield every node that runs when the file is imported: all but function bodies."""
    queue: list[ast.AST] = [tree]
    while queue:
        node = queue.pop()
        yield node
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                queue += [*node.decorator_list, *node.args.defaults]
                queue += [default for default in node.args.kw_defaults if default]
            case ast.Lambda():
                queue += node.args.defaults
            case _:
                queue += ast.iter_child_nodes(node)


def reads_environment(node: ast.AST) -> bool:
    """Tell whether a node names the process environment."""
    match node:
        case ast.Attribute(value=ast.Name(id="os"), attr=name):
            return name in ENVIRONMENT
        case ast.ImportFrom(module="os", names=names):
            return any(alias.name in ENVIRONMENT for alias in names)
        case _:
            return False


def makes_client(node: ast.AST) -> bool:
    """Tell whether a node makes a boto3 session, client or resource."""
    match node:
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return name in CLIENT_MAKERS
        case _:
            return False


def impurities(tree: ast.Module, path: str) -> Iterator[tuple[int, str]]:
    """Yield line and reason of whatever makes a file of core depend on more than its arguments."""
    for line, name in imports_of(tree, path):
        if longest_fit(name, IMPURE_MODULES):
            yield line, f"core may not import {name}"
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS | IMPURE_METHODS:
                yield node.lineno, f"core may not call {name}"
            case ast.Call(func=ast.Attribute(attr=name)) if name in IMPURE_METHODS:
                yield node.lineno, f"core may not call .{name}"
            case _:
                pass


def misplaced(tree: ast.Module, path: str) -> Iterator[tuple[int, str]]:
    """Yield line and reason of whatever reads the environment or makes a client out of place."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if path not in MAY_READ_ENVIRONMENT and reads_environment(node):
            yield line, "only settings.py reads the environment"
        if path not in MAY_MAKE_CLIENTS and makes_client(node):
            yield line, "only aws.py and wiring.py make clients"
    for node in at_import(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Attribute) and reads_environment(node):
            yield line, "the environment is read at import"
        if makes_client(node):
            yield line, "a client is made at import"


def check(path: str, source: str) -> list[str]:
    """List what a source file does against the rooms; `path` is its path under src/janitor."""
    tree = ast.parse(source)
    module = module_of(path)
    room = longest_fit(module, set(MAY_IMPORT))
    if not room:
        return [f"{path}:1: {module} is in none of the rooms of DESIGN.md §6"]
    found = {
        (line, f"{room} may not import {name}")
        for line, name in imports_of(tree, path)
        if name.split(".")[0] == "janitor" and not longest_fit(name, MAY_IMPORT[room])
    }
    found.update(misplaced(tree, path))
    if room == "janitor.core":
        found.update(impurities(tree, path))
    return [f"{path}:{line}: {what}" for line, what in sorted(found)]


def sources() -> list[str]:
    """List the paths of our source files, under src/janitor."""
    return sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", sources())
def test_every_file_keeps_to_its_room(path: str) -> None:
    """No file of ours breaks a rule."""
    assert check(path, (SOURCE / path).read_text(encoding="utf-8")) == []


def test_the_walk_finds_the_sources() -> None:
    """The test above is not empty."""
    assert {"__init__.py", "core/model.py", "adapters/ports.py"} <= set(sources())


BAD = [
    # imports that go up or sideways, in every form that Python has
    ("core/plan.py", "from janitor.adapters.ports import Stacks", "janitor.core may not import"),
    ("core/plan.py", "import janitor.journeys.sweep", "janitor.core may not import"),
    ("core/plan.py", "from janitor import settings", "may not import janitor.settings"),
    ("core/plan.py", "from .. import wiring", "may not import janitor.wiring"),
    ("core/plan.py", "from ..journeys import sweep", "may not import janitor.journeys"),
    ("core/plan.py", "from janitor.settings_old import x", "may not import janitor.settings_old"),
    (
        "core/plan.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from janitor import wiring",
        "plan.py:3: janitor.core may not import janitor.wiring",
    ),
    ("core/plan.py", "def f():\n    import janitor.wiring", "may not import janitor.wiring"),
    ("core/__init__.py", "from ..adapters import ports", "may not import janitor.adapters"),
    ("journeys/sweep.py", "from janitor.adapters.dynamodb import Ledger", "may not import"),
    ("journeys/sweep.py", "from janitor.adapters import memory", "may not import"),
    ("journeys/sweep.py", "import janitor.adapters", "may not import janitor.adapters"),
    ("journeys/sweep.py", "from janitor.wiring import build", "may not import janitor.wiring"),
    ("journeys/sweep.py", "from janitor.settings import Settings", "may not import"),
    ("journeys/sweep.py", "from janitor.entrypoints import cli", "may not import"),
    ("adapters/dynamodb.py", "from janitor.journeys import sweep", "may not import"),
    ("adapters/dynamodb.py", "from janitor.settings import Settings", "may not import"),
    ("adapters/ports.py", "from janitor.adapters import memory", "may not import"),
    ("settings.py", "from janitor.wiring import build", "may not import janitor.wiring"),
    ("wiring.py", "from janitor.entrypoints.cli import main", "may not import"),
    ("entrypoints/cli.py", "from janitor.adapters.sns import Topic", "may not import"),
    ("__init__.py", "from janitor.core import model", "janitor may not import janitor.core"),
    ("helpers.py", "", "in none of the rooms"),
    # core looks at nothing but its arguments
    ("core/plan.py", "import os", "core may not import os"),
    ("core/plan.py", "import os.path", "core may not import os.path"),
    ("core/plan.py", "from time import monotonic", "core may not import time"),
    ("core/plan.py", "import logging", "core may not import logging"),
    ("core/plan.py", "import boto3", "core may not import boto3"),
    ("core/plan.py", "from botocore.exceptions import ClientError", "core may not import botocore"),
    ("core/plan.py", "import urllib.request", "core may not import urllib.request"),
    ("core/plan.py", "def f():\n    return datetime.now(UTC)", "core may not call .now"),
    ("core/plan.py", "x = datetime.datetime.utcnow()", "core may not call .utcnow"),
    ("core/plan.py", "x = date.today()", "core may not call .today"),
    ("core/journal.py", "x = uuid.uuid4()", "core may not call .uuid4"),
    ("core/journal.py", "from uuid import uuid4\nx = uuid4()", "core may not call uuid4"),
    ("core/policy.py", "x = open('policy.yaml')", "core may not call open"),
    ("core/policy.py", "print('hello')", "core may not call print"),
    # the environment and the clients have one place each, and none at import
    ("adapters/sns.py", "import os\ndef f():\n    return os.environ['A']", "only settings.py"),
    ("journeys/sweep.py", "import os\ndef f():\n    return os.getenv('A')", "only settings.py"),
    ("entrypoints/cli.py", "from os import environ", "only settings.py"),
    ("entrypoints/demo.py", "import os\nf(os.environ)", "only settings.py"),
    ("settings.py", "import os\nREGION = os.environ['A']", "read at import"),
    ("settings.py", "import os\ndef f(a=os.getenv('A')): ...", "read at import"),
    ("settings.py", "import os\nclass A:\n    b = os.environ.get('A')", "read at import"),
    (
        "adapters/sns.py",
        "def f():\n    return boto3.client('sns')",
        "only aws.py and wiring.py make clients",
    ),
    ("entrypoints/lambdas.py", "s = boto3.Session()", "only aws.py and wiring.py make clients"),
    ("wiring.py", "import boto3\nSNS = boto3.client('sns')", "made at import"),
    ("wiring.py", "from boto3 import Session\n@f(Session())\ndef g(): ...", "made at import"),
    # length
]


@pytest.mark.parametrize("path, source, complaint", BAD)
def test_a_bad_file_is_named_with_its_reason(path: str, source: str, complaint: str) -> None:
    """Each rule has sources that break it, and the checker says so."""
    assert complaint in "\n".join(check(path, source))


GOOD = [
    ("core/plan.py", "from janitor import __version__\nfrom janitor.core.model import Lease"),
    ("core/plan.py", "from .model import Lease\nfrom . import policy\nimport urllib.parse"),
    ("core/plan.py", "from zoneinfo import ZoneInfo\ndef f(now):\n    return now.astimezone()"),
    ("journeys/sweep.py", "from janitor.adapters.ports import Stacks"),
    ("journeys/sweep.py", "from janitor.adapters import ports"),
    ("journeys/sweep.py", "from janitor.journeys.track import track\nimport logging"),
    ("adapters/sns.py", "from janitor.adapters.ports import Channel\nimport botocore.exceptions"),
    ("settings.py", "import os\ndef load():\n    return os.environ['A']"),
    ("wiring.py", "import boto3\ndef build():\n    return boto3.Session().client('sns')"),
    ("entrypoints/cli.py", "from janitor.wiring import build\nfrom janitor.journeys import sweep"),
    ("entrypoints/emulator.py", "import os\ndef f():\n    return dict(os.environ)"),
    ("__main__.py", "from janitor.entrypoints.cli import main"),
]


@pytest.mark.parametrize("path, source", GOOD)
def test_a_good_file_passes(path: str, source: str) -> None:
    """The rules leave room for what the design asks for."""
    assert check(path, source) == []
