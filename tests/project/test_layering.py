"""The rooms of DESIGN.md §6 hold: imports go down, domain is pure, nothing acts at import."""

import ast
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "janitor"

# What a room may import, by the longest name that fits; "janitor" is the bare package root.
MAY_IMPORT = {
    "janitor": set(),
    "janitor.domain": {"janitor", "janitor.domain"},
    "janitor.application": {"janitor", "janitor.domain", "janitor.application"},
    "janitor.application.ports": {"janitor", "janitor.domain"},
    "janitor.adapters": {
        "janitor",
        "janitor.domain",
        "janitor.application.ports",
        "janitor.adapters",
    },
    "janitor.adapters.aws.session": {
        "janitor",
        "janitor.domain",
        "janitor.adapters",
        "janitor.settings",
    },
    "janitor.html": {"janitor", "janitor.domain"},
    "janitor.error_log": {"janitor", "janitor.domain"},
    "janitor.extension_page": {
        "janitor",
        "janitor.domain",
        "janitor.application",
        "janitor.html",
        "janitor.error_log",
        "janitor.extension_page",
    },
    "janitor.audit_report": {
        "janitor",
        "janitor.domain",
        "janitor.html",
        "janitor.audit_report",
    },
    "janitor.settings": {"janitor", "janitor.domain"},
    "janitor.bootstrap": {
        "janitor",
        "janitor.domain",
        "janitor.application",
        "janitor.adapters",
        "janitor.settings",
        "janitor.slack_bootstrap",
    },
    "janitor.slack_bootstrap": {
        "janitor",
        "janitor.domain",
        "janitor.application.ports",
        "janitor.adapters",
        "janitor.settings",
    },
    "janitor.entrypoints": {
        "janitor",
        "janitor.domain",
        "janitor.application",
        "janitor.settings",
        "janitor.adapters.aws.session",
        "janitor.bootstrap",
        "janitor.slack_bootstrap",
        "janitor.error_log",
        "janitor.extension_page",
        "janitor.audit_report",
        "janitor.entrypoints",
    },
    "janitor.__main__": {"janitor.entrypoints"},
}

# Clock, chance, environment, files, processes, network and logging: not in domain.
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
MAY_READ_ENVIRONMENT = {"settings.py", "bootstrap.py", "entrypoints/demo/emulator.py"}
CLIENT_MAKERS = {"client", "resource", "Session"}
MAY_MAKE_CLIENTS = {"adapters/aws/session.py", "bootstrap.py"}


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
                    # `from janitor import domain` names a room, `from janitor import __version__`
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
    """Yield line and reason of whatever makes a file of domain depend on more than its arguments."""
    for line, name in imports_of(tree, path):
        if longest_fit(name, IMPURE_MODULES):
            yield line, f"domain may not import {name}"
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS | IMPURE_METHODS:
                yield node.lineno, f"domain may not call {name}"
            case ast.Call(func=ast.Attribute(attr=name)) if name in IMPURE_METHODS:
                yield node.lineno, f"domain may not call .{name}"
            case _:
                pass


def misplaced(tree: ast.Module, path: str) -> Iterator[tuple[int, str]]:
    """Yield line and reason of whatever reads the environment or makes a client out of place."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if path not in MAY_READ_ENVIRONMENT and reads_environment(node):
            yield line, "only settings.py reads the environment"
        if path not in MAY_MAKE_CLIENTS and makes_client(node):
            yield line, "only adapters/aws/session.py and bootstrap.py make clients"
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
    if room == "janitor.domain":
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
    assert {"__init__.py", "domain/model.py", "application/ports.py"} <= set(sources())


BAD = [
    # imports that go up or sideways, in every form that Python has
    (
        "domain/planning/plan.py",
        "from janitor.application.ports import Stacks",
        "janitor.domain may not import",
    ),
    (
        "domain/planning/plan.py",
        "import janitor.application.sweep.sweep",
        "janitor.domain may not import",
    ),
    ("domain/planning/plan.py", "from janitor import settings", "may not import janitor.settings"),
    ("domain/planning/plan.py", "from ... import settings", "may not import janitor.settings"),
    (
        "domain/planning/plan.py",
        "from ...application import sweep",
        "may not import janitor.application",
    ),
    (
        "domain/planning/plan.py",
        "from janitor.settings_old import x",
        "may not import janitor.settings_old",
    ),
    (
        "domain/planning/plan.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from janitor import bootstrap",
        "plan.py:3: janitor.domain may not import janitor.bootstrap",
    ),
    (
        "domain/planning/plan.py",
        "def f():\n    import janitor.bootstrap",
        "may not import janitor.bootstrap",
    ),
    ("domain/__init__.py", "from ..adapters import terminal", "may not import janitor.adapters"),
    (
        "application/sweep/sweep.py",
        "from janitor.adapters.aws.dynamodb.ledger import Ledger",
        "may not import",
    ),
    ("application/sweep/sweep.py", "from janitor.adapters import terminal", "may not import"),
    ("application/sweep/sweep.py", "import janitor.adapters", "may not import janitor.adapters"),
    (
        "application/sweep/sweep.py",
        "from janitor.bootstrap import build",
        "may not import janitor.bootstrap",
    ),
    ("application/sweep/sweep.py", "from janitor.settings import Settings", "may not import"),
    ("application/sweep/sweep.py", "from janitor.entrypoints.cli import main", "may not import"),
    (
        "adapters/aws/dynamodb/ledger.py",
        "from janitor.application.sweep import sweep",
        "may not import",
    ),
    ("adapters/aws/dynamodb/ledger.py", "from janitor.settings import Settings", "may not import"),
    ("application/ports.py", "from janitor.adapters import terminal", "may not import"),
    ("settings.py", "from janitor.bootstrap import build", "may not import janitor.bootstrap"),
    ("bootstrap.py", "from janitor.entrypoints.cli.main import main", "may not import"),
    ("entrypoints/cli/main.py", "from janitor.adapters.aws.sns import Topic", "may not import"),
    ("__init__.py", "from janitor.domain import model", "janitor may not import janitor.domain"),
    ("helpers.py", "", "in none of the rooms"),
    # domain looks at nothing but its arguments
    ("domain/planning/plan.py", "import os", "domain may not import os"),
    ("domain/planning/plan.py", "import os.path", "domain may not import os.path"),
    ("domain/planning/plan.py", "from time import monotonic", "domain may not import time"),
    ("domain/planning/plan.py", "import logging", "domain may not import logging"),
    ("domain/planning/plan.py", "import boto3", "domain may not import boto3"),
    (
        "domain/planning/plan.py",
        "from botocore.exceptions import ClientError",
        "domain may not import botocore",
    ),
    ("domain/planning/plan.py", "import urllib.request", "domain may not import urllib.request"),
    (
        "domain/planning/plan.py",
        "def f():\n    return datetime.now(UTC)",
        "domain may not call .now",
    ),
    ("domain/planning/plan.py", "x = datetime.datetime.utcnow()", "domain may not call .utcnow"),
    ("domain/planning/plan.py", "x = date.today()", "domain may not call .today"),
    ("domain/journal/events.py", "x = uuid.uuid4()", "domain may not call .uuid4"),
    (
        "domain/journal/events.py",
        "from uuid import uuid4\nx = uuid4()",
        "domain may not call uuid4",
    ),
    ("domain/policy/model.py", "x = open('policy.yaml')", "domain may not call open"),
    ("domain/policy/model.py", "print('hello')", "domain may not call print"),
    # the environment and the clients have one place each, and none at import
    ("adapters/aws/sns.py", "import os\ndef f():\n    return os.environ['A']", "only settings.py"),
    (
        "application/sweep/sweep.py",
        "import os\ndef f():\n    return os.getenv('A')",
        "only settings.py",
    ),
    ("entrypoints/cli/main.py", "from os import environ", "only settings.py"),
    ("entrypoints/demo/story.py", "import os\nf(os.environ)", "only settings.py"),
    ("settings.py", "import os\nREGION = os.environ['A']", "read at import"),
    ("settings.py", "import os\ndef f(a=os.getenv('A')): ...", "read at import"),
    ("settings.py", "import os\nclass A:\n    b = os.environ.get('A')", "read at import"),
    (
        "adapters/aws/sns.py",
        "def f():\n    return boto3.client('sns')",
        "only adapters/aws/session.py and bootstrap.py make clients",
    ),
    (
        "entrypoints/aws_lambda/workers.py",
        "s = boto3.Session()",
        "only adapters/aws/session.py and bootstrap.py make clients",
    ),
    ("bootstrap.py", "import boto3\nSNS = boto3.client('sns')", "made at import"),
    ("bootstrap.py", "from boto3 import Session\n@f(Session())\ndef g(): ...", "made at import"),
    # length
]


@pytest.mark.parametrize("path, source, complaint", BAD)
def test_a_bad_file_is_named_with_its_reason(path: str, source: str, complaint: str) -> None:
    """Each rule has sources that break it, and the checker says so."""
    assert complaint in "\n".join(check(path, source))


GOOD = [
    (
        "domain/planning/plan.py",
        "from janitor import __version__\nfrom janitor.domain.model import Lease",
    ),
    (
        "domain/planning/plan.py",
        "from ..model import Lease\nfrom . import decisions\nimport urllib.parse",
    ),
    (
        "domain/planning/plan.py",
        "from zoneinfo import ZoneInfo\ndef f(now):\n    return now.astimezone()",
    ),
    ("application/sweep/sweep.py", "from janitor.application.ports import Stacks"),
    ("application/sweep/sweep.py", "from janitor.application import ports"),
    (
        "application/sweep/sweep.py",
        "from janitor.application.deletion.track import track\nimport logging",
    ),
    (
        "adapters/aws/sns.py",
        "from janitor.application.ports import Channel\nimport botocore.exceptions",
    ),
    ("settings.py", "import os\ndef load():\n    return os.environ['A']"),
    ("bootstrap.py", "import boto3\ndef build():\n    return boto3.Session().client('sns')"),
    (
        "entrypoints/cli/main.py",
        "from janitor.bootstrap import build\nfrom janitor.application.sweep import sweep",
    ),
    ("entrypoints/demo/emulator.py", "import os\ndef f():\n    return dict(os.environ)"),
    ("__main__.py", "from janitor.entrypoints.cli.main import main"),
]


@pytest.mark.parametrize("path, source", GOOD)
def test_a_good_file_passes(path: str, source: str) -> None:
    """The rules leave room for what the design asks for."""
    assert check(path, source) == []
