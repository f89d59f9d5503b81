"""By which way stacks of templates in a directory could be tagged, as `make taggable` prints it."""

from pathlib import Path

import pytest
from tools.taggable import look, main, types_in

from janitor.adapters.aws.templates import parsed


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
        ("Resources: {}", set()),
        ("Resources: x", set()),
        ("on: push", set()),
        ("[1, 2]", set()),
        ("a: [", set()),
        ("", set()),
    ],
)  # fmt: skip
def test_types_are_read_from_what_is_a_template(text: str, types: set[str]) -> None:
    """YAML or JSON, with functions, loops and SAM; anything else has none."""
    assert types_in(parsed(text)[0]) == types


def test_each_template_that_would_not_be_tagged_is_named_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the sweep's own rules, which tests of theirs hold; and the sums."""
    (tmp_path / "deep").mkdir()
    texts = {
        "good.yaml": "Resources: {Q: {Type: AWS::SQS::Queue}, C: {Type: Custom::X}}",
        "sam.yaml": "Transform: AWS::Serverless-2016-10-31\n"
                    "Resources: {F: {Type: AWS::Serverless::Function}}",
        "nested.yaml": "Resources: {N: {Type: AWS::CloudFormation::Stack}}",
        "deep/bad.json": '{"Resources": {"P": {"Type": "AWS::SSM::Parameter"}}}',
        "late.yml": "Resources: {K: {Type: AWS::EC2::KeyPair}}",
        "secret.template": "Resources: {Q: {Type: AWS::SQS::Queue, Properties: {QueueName: "
                           "'{{resolve:secretsmanager:s}}'}}}",
        "notes.txt": "Resources: {P: {Type: AWS::SSM::Parameter}}",
    }  # fmt: skip
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert main(str(tmp_path)) == 0
    *refused, one, two, three, four, five, count = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in refused] == [
        "deep/bad.json", "late.yml", "secret.template", ""
    ]  # fmt: skip
    assert "AWS::SSM::Parameter" in refused[0]
    assert "AWS::EC2::KeyPair" in refused[1]
    assert sorted([one, two, three, four, five]) == [
        "   1 not tagged: at creation",
        "   1 not tagged: dynamic reference",
        "   1 not tagged: rights",
        "   1 tagged by a plain update",
        "   2 tagged by a change set that shows tags alone",
    ]
    assert count == "   6 templates"
    assert [one.file for one in look(tmp_path)] == sorted(texts.keys() - {"notes.txt"})


def test_a_directory_without_templates_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a wrong path would look like good news."""
    assert main(str(tmp_path / "none")) == 2
    assert "no templates under" in capsys.readouterr().err
