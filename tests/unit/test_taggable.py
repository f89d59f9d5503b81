"""Which templates of a directory could be tagged, as `make taggable` prints it."""

from pathlib import Path

import pytest
from tools.taggable import main, types_in


@pytest.mark.parametrize(
    "text,types",
    [
        ("Resources: {Q: {Type: AWS::SQS::Queue}}", {"AWS::SQS::Queue"}),
        ('{"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}', {"AWS::SQS::Queue"}),
        ("Resources: {Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub 'x'}}}",
         {"AWS::SQS::Queue"}),
        ("Resources: {F: {Type: AWS::Serverless::Function}}",
         {"AWS::Lambda::Function", "AWS::IAM::Role"}),
        ("Resources: {'Fn::ForEach::T': [N, [a, b], {'T${N}': {Type: AWS::SNS::Topic}}]}",
         {"AWS::SNS::Topic"}),
        ("Resources: {M: {Type: !Rain::Module x.yml}}", {"(no type)"}),
        ("Resources: {}", None),
        ("Resources: x", None),
        ("on: push", None),
        ("[1, 2]", None),
        ("a: [", None),
        ("", None),
    ],
)  # fmt: skip
def test_types_are_read_from_what_is_a_template(text: str, types: set[str] | None) -> None:
    """YAML or JSON, with functions, loops and SAM; anything else is passed over."""
    assert types_in(text) == types


def test_each_template_that_cannot_be_tagged_is_named_with_its_types(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what hinders it, what hinders most, and how many are left."""
    (tmp_path / "deep").mkdir()
    good, bad, late = tmp_path / "good.yaml", tmp_path / "deep/bad.json", tmp_path / "late.yml"
    good.write_text("Resources: {Q: {Type: AWS::SQS::Queue}, C: {Type: Custom::X}}")
    bad.write_text('{"Resources": {"P": {"Type": "AWS::SSM::Parameter"}}}')
    late.write_text("Resources: {K: {Type: AWS::EC2::KeyPair}, P: {Type: AWS::SSM::Parameter}}")
    (tmp_path / "notes.txt").write_text("Resources: {P: {Type: AWS::SSM::Parameter}}")
    assert main(str(tmp_path)) == 0
    assert capsys.readouterr().out.splitlines() == [
        "deep/bad.json: AWS::SSM::Parameter",
        "late.yml: AWS::SSM::Parameter, AWS::EC2::KeyPair (at creation only)",
        "",
        "   2 AWS::SSM::Parameter",
        "   1 AWS::EC2::KeyPair",
        "1 of 3 could be tagged by what is in them",
    ]


def test_a_directory_without_templates_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a wrong path would look like good news."""
    assert main(str(tmp_path / "none")) == 2
    assert "no templates under" in capsys.readouterr().err
