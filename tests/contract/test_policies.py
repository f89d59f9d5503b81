"""Every source of a policy reads it anew, and says in one line what is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.memory import MemoryPolicies

from janitor.adapters.policy_sources import DefaultPolicies, FilePolicies, ParameterPolicies
from janitor.application.ports import Policies
from janitor.domain.errors import ConfigurationError, PolicyError
from janitor.domain.model import Mode
from janitor.domain.policy.loader import parse_policy
from janitor.domain.policy.model import default_policy

NAME = "/janitor/policy"


@pytest.fixture(params=["ministack", "moto"])
def ssm(request: pytest.FixtureRequest, connect: Callable[..., Any]) -> Any:
    """Connect to the parameters of each emulator."""
    return connect(request.param, "ssm")


def put(ssm: Any, text: str) -> None:
    """Write the parameter."""
    ssm.put_parameter(Name=NAME, Value=text, Type="String", Overwrite=True)


def test_a_parameter_is_read_anew_at_every_call(ssm: Any) -> None:
    """The mode is read right before each delete: switching off must work at once."""
    policies = ParameterPolicies(ssm, NAME)
    put(ssm, "mode: enforce")
    assert policies.mode() is Mode.ENFORCE
    put(ssm, "mode: 'off'")
    assert policies.mode() is Mode.OFF
    assert policies.policy().mode is Mode.OFF


def test_a_parameter_that_is_not_there_is_named(ssm: Any) -> None:
    """No policy is not the default policy."""
    with pytest.raises(ConfigurationError, match="no parameter /janitor/none in eu-central-1"):
        ParameterPolicies(ssm, "/janitor/none").policy()


def test_a_parameter_with_a_mistake_is_named_in_the_problem(ssm: Any) -> None:
    """The reader knows where to look."""
    put(ssm, "mode: sometimes")
    with pytest.raises(PolicyError, match=NAME):
        ParameterPolicies(ssm, NAME).mode()


def test_a_file_is_read_anew_at_every_call(tmp_path: Path) -> None:
    """As a parameter is."""
    path = tmp_path / "policy.yaml"
    policies = FilePolicies(path)
    path.write_text("mode: notify", encoding="utf-8")
    assert policies.mode() is Mode.NOTIFY
    path.write_text('{"mode": "observe"}', encoding="utf-8")
    assert policies.mode() is Mode.OBSERVE


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the reason of the operating system."""
    path = tmp_path / "none.yaml"
    with pytest.raises(ConfigurationError, match=r"none\.yaml cannot be read: No such file"):
        FilePolicies(path).policy()


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    """A picture is no policy."""
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"policy\.yaml cannot be read"):
        FilePolicies(path).policy()


def test_without_a_policy_the_default_holds() -> None:
    """It only looks."""
    assert DefaultPolicies().policy() == default_policy()
    assert DefaultPolicies().mode() is default_policy().mode


def test_the_override_of_the_mode_wins_everywhere(tmp_path: Path) -> None:
    """`--mode` on the command line, or the parameter that operators switch."""
    path = tmp_path / "policy.yaml"
    path.write_text("mode: enforce", encoding="utf-8")
    sources: list[Policies] = [
        FilePolicies(path, Mode.OFF),
        DefaultPolicies(Mode.OFF),
        MemoryPolicies(parse_policy("mode: enforce", "test"), Mode.OFF),
    ]
    assert [source.mode() for source in sources] == [Mode.OFF] * 3


def test_off_in_the_policy_stops_what_an_option_would_let_run(tmp_path: Path) -> None:
    """Operators have one switch, whatever the lines in everybody's crontab say."""
    file = tmp_path / "policy.yaml"
    policies = FilePolicies(file, Mode.ENFORCE)
    file.write_text("mode: observe")
    assert policies.mode() is Mode.ENFORCE
    file.write_text("mode: off")
    assert policies.mode() is Mode.OFF
