"""By which way tags change, and why by none."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from janitor.domain.stack.resources import NESTED
from janitor.domain.tagging.change_set import Change, Proposal, Readiness, verdict
from janitor.domain.tagging.ways import (
    Anatomy,
    Part,
    Refusal,
    Way,
    Why,
    allows_all,
    way_of,
    why_text,
)

TEMPLATE: dict[str, Any] = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
SSM = {"Type": "AWS::SSM::Parameter::Value<String>"}
ROOT = Part("feat", TEMPLATE, "abc", ("AWS::SQS::Queue",))
DENY = '{"Statement": {"Effect": "Deny", "Action": "Update:*", "Principal": "*", "Resource": "*"}}'
PLAINLY = {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}


def way(anatomy: Anatomy, **seen: Any) -> Way | Refusal:
    """Return the way of a stack at rest."""
    known: dict[str, Any] = {"status": "CREATE_COMPLETE", "role": "", "reads_ssm": False}
    return way_of(anatomy, **{**known, **seen})


def of(**more: Any) -> Anatomy:
    """Return a stack whose template has this too."""
    return Anatomy(replace(ROOT, template={**TEMPLATE, **more}))


def types(*names: str) -> Anatomy:
    """Return a stack of these types."""
    return Anatomy(replace(ROOT, types=names))


def why(found: Way | Refusal) -> Why:
    """Return why not."""
    assert isinstance(found, Refusal), found
    return found.why


def test_a_plain_stack_is_updated() -> None:
    """Nothing of it is read anew."""
    assert way(Anatomy(ROOT)) is Way.PLAIN


def test_a_default_stack_of_cdk_is_updated() -> None:
    """`BootstrapVersion` stands in each, and nothing uses it."""
    rules = {"CheckBootstrapVersion": {"Assertions": [{"Assert": {"Ref": "BootstrapVersion"}}]}}
    cdk = of(Parameters={"BootstrapVersion": SSM}, Rules=rules)
    assert way(cdk, reads_ssm=True) is Way.PLAIN


@pytest.mark.parametrize(
    "anatomy, reads_ssm",
    [
        (of(Transform="AWS::Serverless-2016-10-31"), False),
        (of(Parameters={"P": SSM}, Outputs={"O": {"Value": {"Ref": "P"}}}), True),
        (Anatomy(ROOT, (replace(ROOT, name="child"),)), False),
        (Anatomy(ROOT), True),
    ],
)
def test_what_may_read_something_anew_shows_it_first(anatomy: Anatomy, reads_ssm: bool) -> None:
    """By a change set; also where only DescribeStacks knows of it."""
    assert way(anatomy, reads_ssm=reads_ssm) is Way.CHANGE_SET


WEAK = {"O": {"Value": {"Fn::GetStackOutput": {"StackName": "p"}}}}
MOVING = {"O": {"Value": "{{resolve:ssm:/a}}"}}


@pytest.mark.parametrize(
    "anatomy, expected",
    [
        (Anatomy(ROOT, change_sets=("pipeline",)), Why.PENDING),
        (Anatomy(replace(ROOT, policy=DENY)), Why.POLICY),
        (Anatomy(ROOT, (replace(ROOT, policy=DENY),)), Why.POLICY),
        (types("AWS::AppRunner::Service"), Why.AT_CREATION),
        (of(Outputs=MOVING), Why.REFERENCE),
        (Anatomy(ROOT, (replace(ROOT, template={**TEMPLATE, "Outputs": MOVING}),)), Why.REFERENCE),
        (Anatomy(ROOT, values=("{{resolve:ssm:/a}}",)), Why.REFERENCE),
        (of(Outputs=WEAK), Why.WEAK),
        (types("AWS::SSM::Parameter"), Why.RIGHTS),
        (types("AWS::Brand::New"), Why.RIGHTS),
        (Anatomy(replace(ROOT, problem="AccessDenied")), Why.UNREADABLE),
        (Anatomy(replace(ROOT, template=None)), Why.UNREADABLE),
        (Anatomy(ROOT, (replace(ROOT, template="text"),)), Why.UNREADABLE),
    ],
)
def test_where_nothing_shows_that_tags_alone_change_they_stay(
    anatomy: Anatomy, expected: Why
) -> None:
    """Fails for each without its line in `_refusals`."""
    assert why(way(anatomy)) is expected


def test_a_service_role_tags_what_the_janitor_may_not() -> None:
    """As long as the last update with it went well."""
    anatomy = types("AWS::SSM::Parameter")
    assert way(anatomy, role="arn:role") is Way.PLAIN
    assert why(way(anatomy, role="arn:role", status="UPDATE_ROLLBACK_COMPLETE")) is Why.ROLE
    assert way(Anatomy(ROOT), status="UPDATE_ROLLBACK_COMPLETE") is Way.PLAIN


@pytest.mark.parametrize(
    "policy, allowed",
    [
        ("", True),
        (json.dumps({"Statement": [PLAINLY]}), True),
        (json.dumps({"Statement": PLAINLY}), True),
        (DENY, False),
        (json.dumps({"Statement": [PLAINLY, {**PLAINLY, "Effect": "Deny"}]}), False),
        (json.dumps({"Statement": [{**PLAINLY, "Resource": "LogicalResourceId/A"}]}), False),
        (json.dumps({"Statement": [{**PLAINLY, "Action": "Update:Modify"}]}), False),
        (json.dumps({"Statement": [{**PLAINLY, "Condition": {}}]}), False),
        (json.dumps({"Statement": []}), False),
        ("{", False),
        ("[]", False),
        ('{"Statement": 5}', False),
    ],
)
def test_a_stack_policy_other_than_plain_allow_means_no(policy: str, allowed: bool) -> None:
    """Whoever wrote one meant something by it."""
    assert allows_all(policy) is allowed


@pytest.mark.parametrize("reason", Why)
def test_each_reason_has_its_sentence(reason: Why) -> None:
    """With what it is about, and that without line breaks."""
    text = why_text(reason, "detail\nmore {}")
    assert text
    assert "\n" not in text
    assert "  " not in text


MODIFY = Change("Queue", "AWS::SQS::Queue", "Modify", "False", ("Tags",), (("Tags", ""),))
TAGS = {"owner": "a", "janitor:delete-after": "1"}
SHOWN = Proposal("id", Readiness.READY, (MODIFY,), TAGS, {**TAGS, "janitor:delete-after": "2"})
CHILD = Change(
    "Child",
    NESTED,
    "Modify",
    "False",
    ("Tags", "Properties"),
    (("Tags", "DirectModification"), ("Properties", "Automatic")),
    change_set="nested-id",
)
WITH_CHILD = replace(
    SHOWN, changes=(CHILD,), nested=(Proposal("nested-id", Readiness.READY, (MODIFY,)),)
)


@pytest.mark.parametrize("shown", [SHOWN, replace(SHOWN, changes=()), WITH_CHILD])
def test_a_change_set_of_tags_alone_is_harmless(shown: Proposal) -> None:
    """Also where nothing in it takes tags, and of a nested stack that CloudFormation looks into."""
    assert verdict(shown, frozenset({"P"})) is None


@pytest.mark.parametrize(
    "change",
    [
        replace(MODIFY, action="Add"),
        replace(MODIFY, action="Remove"),
        replace(MODIFY, action="Import"),
        replace(MODIFY, action="Dynamic"),
        replace(MODIFY, replacement="True"),
        replace(MODIFY, replacement="Conditional"),
        replace(MODIFY, replacement=""),
        replace(MODIFY, scope=()),
        replace(MODIFY, scope=("Properties",)),
        replace(MODIFY, scope=("Tags", "Properties")),
        replace(MODIFY, scope=("Tags", "Metadata")),
        replace(MODIFY, details=(("Properties", ""),)),
        replace(MODIFY, policy_action="Delete"),
        replace(MODIFY, kind="Hook"),
    ],
)
def test_any_other_change_is_more_than_tags(change: Change) -> None:
    """Fails for each without its part of `_is_harmless`."""
    refusal = verdict(replace(SHOWN, changes=(MODIFY, change)), frozenset())
    assert refusal is not None
    assert refusal.why is Why.MORE
    assert "Queue" in refusal.detail


@pytest.mark.parametrize(
    "shown, expected",
    [
        (replace(SHOWN, readiness=Readiness.FAILED, reason="S3 error"), Why.NOT_SHOWN),
        (replace(SHOWN, readiness=Readiness.MAKING), Why.NOT_SHOWN),
        (replace(SHOWN, tags={}), Why.NOT_SHOWN),
        (replace(SHOWN, tags={**TAGS, "more": "x"}), Why.NOT_SHOWN),
        (replace(SHOWN, is_same_template=False), Why.MORE),
        (replace(SHOWN, moved=("P",)), Why.MORE),
        (replace(WITH_CHILD, nested=()), Why.NOT_SHOWN),
        (replace(WITH_CHILD, changes=(replace(CHILD, change_set=""),)), Why.NOT_SHOWN),
        (
            replace(WITH_CHILD, nested=(Proposal("nested-id", Readiness.FAILED, reason="gone"),)),
            Why.NOT_SHOWN,
        ),
        (
            replace(
                WITH_CHILD,
                nested=(
                    Proposal(
                        "nested-id", Readiness.READY, (replace(MODIFY, scope=("Properties",)),)
                    ),
                ),
            ),
            Why.MORE,
        ),
        (
            replace(
                WITH_CHILD,
                nested=(Proposal("nested-id", Readiness.READY, is_same_template=False),),
            ),
            Why.MORE,
        ),
        (
            replace(
                WITH_CHILD,
                changes=(replace(CHILD, details=(("Properties", "ParameterReference"),)),),
            ),
            Why.MORE,
        ),
        (replace(WITH_CHILD, changes=(replace(CHILD, details=()),)), Why.MORE),
    ],
)
def test_what_does_not_show_tags_alone_is_not_executed(shown: Proposal, expected: Why) -> None:
    """Nothing shown is no proof."""
    refusal = verdict(shown, frozenset({"P"}))
    assert refusal is not None
    assert refusal.why is expected


def test_a_parameter_that_moved_and_that_nothing_uses_is_harmless() -> None:
    """CDK's version of its bootstrap stack."""
    assert verdict(replace(SHOWN, moved=("BootstrapVersion",)), frozenset({"P"})) is None
