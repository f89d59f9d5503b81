"""samconfig.toml: what the pipeline needs is in it, and a new stage is added without harm."""

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from tests.cloudformation_template import read_template

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS = read_template(ROOT / "template.yaml")["Parameters"]


@pytest.fixture(scope="module")
def new_stage() -> ModuleType:
    """Load the tool, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("new_stage", ROOT / "tools/new_stage.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a copy of ours."""
    copy = tmp_path / "samconfig.toml"
    copy.write_bytes((ROOT / "samconfig.toml").read_bytes())
    return copy


def overrides(file: Path, stage: str) -> dict[str, str]:
    """Return a stage's parameters."""
    listed = tomllib.loads(file.read_text())[stage]["deploy"]["parameters"]["parameter_overrides"]
    return dict(one.split("=", 1) for one in listed)


def test_every_stage_of_the_pipeline_has_its_settings() -> None:
    """Nobody is there to be asked; and nothing is deleted before somebody says so."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/main.yml").read_text())["jobs"].values()
    stages = [job["env"]["STAGE"] for job in jobs if "env" in job]
    assert stages == ["dev", "prod"]
    for stage in stages:
        assert overrides(ROOT / "samconfig.toml", stage) == {"Stage": stage, "Mode": "observe"}


def test_a_stage_that_is_there_is_left_as_it_is(new_stage: ModuleType, file: Path) -> None:
    """And nobody is asked."""
    before = file.read_bytes()
    assert not new_stage.add(file, "dev", pytest.fail)
    assert file.read_bytes() == before


def test_without_a_terminal_a_new_stage_gets_the_safe_answers(
    new_stage: ModuleType, file: Path
) -> None:
    """What is empty is left to the template."""
    assert new_stage.add(file, "test", None)
    assert overrides(file, "test") == {
        "Stage": "test", "Mode": "observe", "SelectorTag": "janitor:ttl",
    }  # fmt: skip
    assert file.read_text().startswith((ROOT / "samconfig.toml").read_text())


def test_what_is_asked_for_is_a_parameter_with_that_default(new_stage: ModuleType) -> None:
    """And the stages take the same names in both."""
    for name, (default, _) in new_stage.QUESTIONS.items():
        assert PARAMETERS[name]["Default"] == default
    assert PARAMETERS["Stage"]["AllowedPattern"] == f"^{new_stage.STAGE.pattern}$"


@pytest.mark.parametrize(
    "stage, answer, problem",
    [
        ("Dev", "", "STAGE: 'Dev' is not a short lower-case name; for instance dev"),
        ("a]b", "", "STAGE: 'a]b' is not a short"),
        ("test", 'x"]\n', "Mode: 'x\"]' has a blank, a quote or a backslash in it"),
        ("test", "a b", "Mode: 'a b' has a blank, a quote or a backslash in it"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(
    stage: str, answer: str, problem: str, new_stage: ModuleType, file: Path
) -> None:
    """The file stays one that SAM can read."""
    before = file.read_bytes()
    with pytest.raises(ValueError, match=re.escape(problem)):
        new_stage.add(file, stage, lambda _: answer)
    assert file.read_bytes() == before


def test_a_preview_retains_nothing() -> None:
    """What `make preview` does to the template, by its own words, leaves no Retain."""
    makefile = (ROOT / "Makefile").read_text()
    found = re.search(r"sed 's/(\S+ \S+)\$\$/(\S+ \S+)/' \$\(BUILD_DIR\)/template.yaml", makefile)
    assert found
    text = (ROOT / "template.yaml").read_text()
    assert "Policy: Retain" in text
    changed = re.sub(f"{found[1]}$", found[2], text, flags=re.MULTILINE)
    assert "Retain" not in changed.replace("RetentionInDays", "")
    assert "SetApiLogRole=false" in makefile
