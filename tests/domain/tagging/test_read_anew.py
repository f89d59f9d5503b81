"""What CloudFormation would read anew by a template, and how a template is read at all."""

from typing import Any

import pytest

from janitor.adapters.aws.templates import parsed
from janitor.domain.tagging.read_anew import Anew, is_unpinned, reading_of

QUEUE: dict[str, Any] = {"Type": "AWS::SQS::Queue"}
SSM = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/x"}
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:s-a1B2c3"
VERSION = "0123456789abcdef0123456789abcdef"


def template(**more: Any) -> dict[str, Any]:
    """Make a template of one queue, and this."""
    return {"Resources": {"Queue": QUEUE}, **more}


def with_queue(**properties: Any) -> dict[str, Any]:
    """Make a template of one queue with these properties."""
    return template(Resources={"Queue": {**QUEUE, "Properties": properties}})


def test_a_plain_template_reads_nothing_anew() -> None:
    """References within it, imports and pseudo parameters are what they were."""
    plain = with_queue(QueueName={"Fn::Sub": "${AWS::StackName}-x"}, Tags=[{"Ref": "AWS::Region"}])
    found = reading_of(plain)
    assert (*found.anew, found.unpinned, found.is_weak, found.is_read) == ("", False, True)


@pytest.mark.parametrize(
    "made, anew",
    [
        (template(Transform="AWS::Serverless-2016-10-31"), Anew.TRANSFORM),
        (with_queue(X={"Fn::Transform": {"Name": "AWS::Include"}}), Anew.TRANSFORM),
        (template(Resources={"M": {"Type": "A::B::C::MODULE"}}), Anew.MODULE),
        (template(Resources={"C": {"Type": "AWS::CloudFormation::Stack"}}), Anew.NESTED),
        (with_queue(X={"Fn::Select": [0, {"Fn::GetAZs": ""}]}), Anew.ZONES),
        (with_queue(X="{{resolve:ssm:/a:3}}"), Anew.VERSION),
    ],
)
def test_what_is_read_anew_is_seen(made: dict[str, Any], anew: Anew) -> None:
    """Wherever it stands. Fails for each without its line in `reading_of`."""
    assert reading_of(made).anew == {anew}


@pytest.mark.parametrize(
    "use",
    [
        {"Outputs": {"O": {"Value": {"Ref": "P"}}}},
        {"Outputs": {"O": {"Value": {"Fn::Sub": "a ${ P } b"}}}},
        {"Conditions": {"C": {"Fn::Equals": [{"Ref": "P"}, "x"]}}},
    ],
)
def test_a_parameter_from_ssm_counts_where_something_uses_it(use: dict[str, Any]) -> None:
    """An output too: others import it."""
    found = reading_of(template(Parameters={"P": SSM}, **use))
    assert (*found.anew, *found.from_ssm) == (Anew.PARAMETER, "P")


def test_the_bootstrap_version_of_cdk_is_used_by_nothing() -> None:
    """Rules alone look at it. Fails without `_NOT_DEPLOYED`."""
    rules = {"R": {"Assertions": [{"Assert": {"Fn::Contains": [["1"], {"Ref": "P"}]}}]}}
    metadata = {"AWS::CloudFormation::Interface": {"ParameterGroups": [{"Parameters": ["P"]}]}}
    found = reading_of(template(Parameters={"P": SSM}, Rules=rules, Metadata=metadata))
    assert (*found.anew, *found.from_ssm) == ()


@pytest.mark.parametrize(
    "text, unpinned",
    [
        ("{{resolve:ssm:/a/b:12}}", False),
        ("{{resolve:ssm-secure:/a/b:12}}", False),
        (f"{{{{resolve:secretsmanager:s:SecretString:password::{VERSION}}}}}", False),
        (f"{{{{resolve:secretsmanager:{SECRET}:SecretString:::{VERSION}}}}}", False),
        ("{{resolve:ssm:/a/b}}", True),
        ("{{resolve:ssm:/a/b:}}", True),
        ("{{resolve:ssm:${Name}:3}}", True),
        ("{{resolve:secretsmanager:s:SecretString:password}}", True),
        ("{{resolve:secretsmanager:s:SecretString:password:AWSCURRENT}}", True),
        ("{{resolve:secretsmanager:s:SecretString:password::}}", True),
        (f"{{{{resolve:secretsmanager:s:SecretString:p:AWSCURRENT:{VERSION}}}}}", True),
        ("{{resolve:ssm:/a:1}} {{resolve:ssm:/b}}", True),
        ("{{resolve:new-service:/a:1}}", True),
        ("{{resolve:secretsmanager:", True),
        ("ends in {{res", True),
        ("{{", False),
        ("Hello {{name}}", False),
        ("resolved", False),
    ],
)
def test_a_dynamic_reference_is_the_same_only_by_its_version(text: str, unpinned: bool) -> None:
    """One in parts is none to rely on."""
    assert is_unpinned(text) is unpinned


def test_a_reference_that_a_function_puts_together_is_found() -> None:
    """As CDK writes it."""
    joined = {"Fn::Join": ["", ["{{resolve:secretsmanager:", {"Ref": "S"}, ":SecretString:p::}}"]]}
    assert reading_of(with_queue(X=joined)).unpinned


def test_outputs_of_other_stacks_are_found() -> None:
    """Their weak references."""
    assert reading_of(with_queue(X={"Fn::GetStackOutput": {"StackName": "p"}})).is_weak


@pytest.mark.parametrize("made", [None, "x", [], {}, {"Resources": []}])
def test_what_is_no_template_is_not_read(made: object) -> None:
    """Nothing is known of it then."""
    assert not reading_of(made).is_read


def test_yaml_is_read_with_its_short_functions() -> None:
    """Fails without the constructor of templates.py."""
    body = """
Parameters: {P: {Type: 'AWS::SSM::Parameter::Value<String>'}}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Ref P
      A: !GetStackOutput {StackName: p, OutputName: o}
      B: !Select [0, !GetAZs '']
      C: !Sub 'x ${P}'
"""
    found = reading_of(parsed(body)[0])
    assert found.anew == {Anew.PARAMETER, Anew.ZONES}
    assert found.is_weak


def test_yaml_that_names_itself_or_grows_without_end_is_read_in_time() -> None:
    """Each object is looked at once. Fails without `seen` in `_walk`."""
    lines = ["a0: &a0 ['{{resolve:ssm:/x}}']"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    body = "\n".join([*lines, "me: &me {again: *me}", "Resources: {Q: {Type: 'AWS::SQS::Queue'}}"])
    assert reading_of(parsed(body)[0]).unpinned == "{{resolve:ssm:/x}}"


@pytest.mark.parametrize("body", ["a: [", "\x00", "!!python/object:os.system {}", "- 1"])
def test_text_that_is_no_template_is_nothing(body: str) -> None:
    """And never run."""
    assert not reading_of(parsed(body)[0]).is_read


def test_json_and_yaml_have_the_hash_of_their_text() -> None:
    """So that two can be compared."""
    assert parsed("Resources: {}")[1] != parsed("Resources:  {}")[1]
    assert parsed({"a": 1, "b": 2})[1] == parsed({"b": 2, "a": 1})[1]
