"""What StackSets get is our template without SAM, with every setting still a setting."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cloudformation_template import read_template

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
SAM_PYTHON = ROOT / ".cache/sam/bin/python"

pytestmark = pytest.mark.skipif(not SAM_PYTHON.exists(), reason="`make sam` installs SAM")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what becomes of the template as `sam package` leaves it."""
    template = read_template(TEMPLATE)
    template["Globals"]["Function"]["CodeUri"] = "s3://artifacts/janitor/0123456789abcdef"
    packaged = tmp_path_factory.mktemp("plain") / "packaged.json"
    packaged.write_text(json.dumps(template), encoding="utf-8")
    command = [str(SAM_PYTHON), "tools/plain_template.py", str(packaged)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def test_it_has_no_macro_and_no_region_in_it(plain: dict[str, Any]) -> None:
    """Service-managed stack sets refuse macros; one template serves every region."""
    text = json.dumps({**plain, "Parameters": {}})
    assert "AWS::Serverless" not in text
    assert "eu-central-1" not in text


def test_every_setting_is_still_a_setting(plain: dict[str, Any]) -> None:
    """SAM would write the default in the place of some references, for all accounts and ever."""
    before = read_template(TEMPLATE)["Parameters"]
    assert plain["Parameters"] == {n: p for n, p in before.items() if n != "Canary"}
    text = json.dumps(plain)
    unused = [
        n
        for n in plain["Parameters"]
        if f'{{"Ref": "{n}"}}' not in text and f"${{{n}}}" not in text
    ]
    assert unused == []


def test_permissions_go_by_a_beginning_that_is_left_of_long_names(plain: dict[str, Any]) -> None:
    """A stack of a stack set is called StackSet-janitor- and 36 characters more."""
    text = json.dumps(plain)
    assert "${AWS::StackName}-*" not in text
    assert text.count("StackSet-janitor-*") == TEMPLATE.read_text().count("${AWS::StackName}-*")
    assert "StackSet-janitor-*" in text


def test_all_templates_are_sound(plain: dict[str, Any], tmp_path: Path) -> None:
    """As cfn-lint sees it, which cannot see whether AWS takes them."""
    file = tmp_path / "plain.json"
    file.write_text(json.dumps(plain), encoding="utf-8")
    lint = Path(sys.executable).with_name("cfn-lint")
    templates = [str(path) for path in (*(ROOT / "deploy").glob("*.yaml"), file)]
    command = [str(lint), "--region", "eu-central-1", "--template", *templates]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
