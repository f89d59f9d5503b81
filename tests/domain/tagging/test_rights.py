"""The rights to pass tags on are those of AWS's schemas, without any that is none to give."""

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from tests.cloudformation_template import read_template
from tests.iam import Request, is_allowed, statements_of
from tools import tagging_rights as tool

from janitor.domain.tagging.rights import CHANGE_SET, at_creation_only, uncovered

ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = read_template(ROOT / "template.yaml")
SWEEP = statements_of(TEMPLATE, "SweepRole")
VIA = {"aws:CalledVia": ("cloudformation.amazonaws.com",)}
STACK = "arn:aws:cloudformation:eu-west-1:000000000000:stack/feat-x/1"

AT_LEAST = 805
"""Types that are covered. Raise it when there are more; lower it only with a reason in a commit."""

MUST = """
Lambda::Function IAM::Role IAM::User DynamoDB::Table SQS::Queue SNS::Topic S3::Bucket
ApiGateway::RestApi ApiGateway::Stage ApiGatewayV2::Stage Logs::LogGroup Events::Rule
StepFunctions::StateMachine EC2::VPC EC2::Subnet EC2::SecurityGroup EC2::InternetGateway
EC2::RouteTable EC2::NatGateway EC2::EIP EC2::Instance EC2::VPCEndpoint ECS::Cluster ECS::Service
ECS::TaskDefinition ECR::Repository RDS::DBInstance RDS::DBCluster RDS::DBSubnetGroup
ElasticLoadBalancingV2::LoadBalancer ElasticLoadBalancingV2::TargetGroup
ElasticLoadBalancingV2::Listener AutoScaling::AutoScalingGroup CloudFront::Distribution
Cognito::UserPool Cognito::IdentityPool KMS::Key SecretsManager::Secret CloudWatch::Alarm
AppSync::GraphQLApi Kinesis::Stream KinesisFirehose::DeliveryStream EFS::FileSystem
CodePipeline::Pipeline CloudFormation::Stack
"""
"""What a team of developers deploys every day, as far as its schemas let us."""

FORBIDDEN = {
    # What changes something.
    r"\S+:(put|update|modify|set|attach|detach|pass|assume|start|stop|run|invoke|send|publish)": (
        "changes more than tags"
    ),
    r"\S+:(execute|import|restore|copy|enable|disable|register|accept|authorize|revoke|reset)": (
        "changes more than tags"
    ),
    r"\S+:(create|delete|add|remove|change|associate|disassociate|grant|share|select)": (
        "changes more than tags"
    ),
    r"iam:(?!tag|untag|get|list)": "who may do what",
    r"sts:": "becomes somebody else",
    # What reads more than how a thing is set up.
    r"kms:(?!describe|list|tag|untag|getkeypolicy|getkeyrotationstatus)": "uses a key",
    r"secretsmanager:\S*(value|password)": "secrets",
    r"ssm:(getparameter|getcommandinvocation|listcommandinvocations|describesessions)": "values",
    r"s3(express|-outposts)?:(getobject|listobjects|listbucketversions|selectobject)": "data",
    r"dynamodb:(getitem|batchgetitem|query|scan|partiql|getrecords|getsharditerator)": "data",
    r"(kinesis|dynamodb|firehose):getrecords": "data",
    r"sqs:(receive|purge)": "data",
    r"logs:(getlog(events|record|object|groupfields)|filterlogevents|getqueryresults)": "logs",
    r"(athena|redshift-data|timestream|cloudtrail):getquery": "data",
    r"(rds|docdb):downloaddb": "logs",
    r"\S+:get\S*(credential|token|password|secret|presigned|accesskey|privatekey)": "secrets",
    r"\S+:(list|describe)\S*(apikey|credentials|secretvalue|accesstokens|passwords)": "secrets",
    r"ec2:get(passworddata|console)|ec2:describelaunchtemplateversions": "passwords, user data",
    r"(ecr|ecr-public):(getdownload|batchgetimage|getauthorization)": "images",
    r"(codecommit|codeartifact):(getfile|getblob|gitpull|getpackageversionasset)": "code",
    r"lambda:(getlayerversion|listversions|listfunctions)": "code and variables of all functions",
    r"glue:(getconnection|getsession|getstatement|getpartition|gettable)": "passwords and data",
    r"cognito-idp:(listusers|admingetuser|listuserpoolclientsecrets|describeuserpoolclient)": (
        "people and secrets"
    ),
    r"(identitystore|workmail):(list|describe)\S*user": "people",
    r"appsync:(listapikeys|evaluate)": "keys",
    r"states:(describeexecution|getexecutionhistory|listexecutions|getactivitytask)": "data",
    r"cassandra:|rds-data:|redshift-data:|execute-api:": "data",
    r"cloudformation:": "reads any resource, or changes a stack: the role's own statements say",
    r"apigateway:": "one action for everything: the role's own statements say by path",
    r"cloudwatch:(getmetricdata|getmetricstatistics|getmetricwidgetimage)": "measurements",
    r"ce:get|billing:getbillingviewdata": "bills",
}  # fmt: skip
"""What no policy may reach, in lower case and from its beginning, with the reason."""
OF_TAGS = re.compile(
    r"\S+:(create|delete|add|remove|put|change|createorupdate)(bucket)?(tags|tagging)\S*"
)
"""The exceptions from the first lines of it."""


@pytest.fixture(scope="module")
def schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas of all types."""
    return tool.schemas()


@pytest.fixture(scope="module")
def rights(schemas: dict[str, dict[str, Any]]) -> tool.Rights:
    """Work the rights out anew."""
    return tool.choose(schemas)


def policies() -> dict[str, dict[str, Any]]:
    """Return the policies of the template that the tool made, by name."""
    return {
        name: one["Properties"]["PolicyDocument"]
        for name, one in TEMPLATE["Resources"].items()
        if name.startswith("TaggingRights")
    }


def reached() -> Iterator[str]:
    """Yield every action that IAM knows and that they allow, in lower case."""
    for document in policies().values():
        (statement,) = document["Statement"]
        for pattern in statement["Action"]:
            service, _, rest = pattern.lower().partition(":")
            beginning = rest.rstrip("*")
            known = [a for a in tool.known()[service] if a.startswith(beginning)]
            if not rest.endswith("*"):
                known = [a for a in known if a == rest]
            assert known, f"IAM knows nothing like {pattern}"
            yield from (f"{service}:{action}" for action in known)


def test_template_and_types_are_what_the_tool_makes_of_the_schemas(rights: tool.Rights) -> None:
    """`make rights` writes them; whoever edits them by hand, or updates cfn-lint, sees it here."""
    text = tool.TEMPLATE.read_text(encoding="utf-8")
    assert tool.as_template(rights, text) == text
    assert tool.as_module(rights) == tool.TYPES.read_text(encoding="utf-8")


def test_no_policy_reaches_what_is_none_to_give() -> None:
    """Wildcards are followed to every action that IAM knows today."""
    found = sorted(set(reached()))
    assert len(found) > 2000
    bad = [
        (action, why)
        for action, (pattern, why) in product(found, FORBIDDEN.items())
        if re.match(pattern, action) and not OF_TAGS.fullmatch(action)
    ]
    assert bad == []


def test_all_that_is_allowed_is_allowed_through_cloudformation_alone() -> None:
    """One statement each, with that condition."""
    for document in policies().values():
        (statement,) = document["Statement"]
        assert statement["Effect"] == "Allow"
        assert statement["Condition"] == {
            "ForAnyValue:StringEquals": {"aws:CalledVia": ["cloudformation.amazonaws.com"]}
        }


def test_the_policies_fit_into_what_a_role_takes() -> None:
    """Sizes count no whitespace; resources of the template are counted as if they had long names.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    """
    role = TEMPLATE["Resources"]["SweepRole"]["Properties"]
    assert len(policies()) <= 5
    assert len(role["ManagedPolicyArns"]) <= 10
    for name, document in policies().items():
        assert len(json.dumps(document, separators=(",", ":"))) <= 6144, name
    own = [policy["PolicyDocument"] for policy in role["Policies"]]
    assert len(json.dumps(own, separators=(",", ":"))) + 100 * json.dumps(own).count("Fn::") < 10240


def test_as_many_types_are_covered_as_before(rights: tool.Rights) -> None:
    """And those that every team deploys are."""
    print(tool.summary(rights))  # noqa: T201 - the number is what one wants to see
    assert len(rights.covered) >= AT_LEAST
    assert uncovered(f"AWS::{name}" for name in MUST.split()) == ()


def test_every_covered_type_gets_what_its_schema_asks_for_through_cloudformation_and_not_else(
    rights: tool.Rights, schemas: dict[str, dict[str, Any]]
) -> None:
    """All its actions but those that NOT_NEEDED explains, on resources that are not the janitor's."""
    needs = [tool.needs(name, schemas[name]) for name in rights.covered - tool.API_GATEWAY]
    actions = {action for need in needs if need for action in need.actions}
    assert len(actions) > 1000
    for action in sorted(actions):
        request = Request(action, "arn:aws:any:eu-west-1:000000000000:some/thing", VIA)
        assert is_allowed(SWEEP, request), action
        assert not is_allowed(SWEEP, request._replace(context={})), action


@pytest.mark.parametrize("name", sorted(tool.API_GATEWAY))
def test_types_of_api_gateway_need_no_more_than_their_paths(
    name: str, schemas: dict[str, dict[str, Any]]
) -> None:
    """Its schemas name verbs; on tags they are all there, on what is tagged only to look at it."""
    need = tool.needs(name, schemas[name])
    assert need
    verbs = {a for a in need.actions if a.partition(":")[2].isupper()}
    assert verbs <= {"apigateway:GET", "apigateway:PUT", "apigateway:POST", "apigateway:DELETE"}
    tags = "arn:aws:apigateway:eu-west-1::/tags/arn%3Aaws%3Aapigateway"
    assert all(is_allowed(SWEEP, Request(verb, tags, VIA)) for verb in verbs)


def test_what_is_written_by_hand_in_the_tool_is_still_asked_for(
    schemas: dict[str, dict[str, Any]], rights: tool.Rights
) -> None:
    """Exceptions and corrections that no schema needs any more go."""

    def named(schema: dict[str, Any]) -> set[str]:
        tagging = schema.get("tagging", {}).get("permissions", [])
        return {*tagging, *schema.get("handlers", {}).get("read", {}).get("permissions", [])}

    by_type = {name: {action.lower() for action in named(one)} for name, one in schemas.items()}
    everything = set().union(*by_type.values())
    for kind, action in tool.NOT_NEEDED:
        assert action in (everything if kind == "*" else by_type[kind]), (kind, action)
    covered = set().union(*(by_type[name] for name in rights.covered))
    assert tool.GIVEN.keys() <= covered
    assert {action.lower() for action in tool.MISSPELLED} <= covered
    assert tool.BY_HAND.keys() | tool.API_GATEWAY <= schemas.keys()
    for pattern in tool.NONE_TO_GIVE:
        matched = [
            a
            for actions in tool.known().items()
            for a in actions[1]
            if re.match(pattern, f"{actions[0]}:{a}")
        ]
        assert matched, pattern


@pytest.mark.parametrize(
    "types,named",
    [
        ([], ()),
        (["AWS::Lambda::Function", "AWS::IAM::Role"], ()),
        (["AWS::SSM::Parameter"], ("AWS::SSM::Parameter",)),
        (["AWS::SSM::Parameter", "AWS::CodeBuild::Project", "AWS::SSM::Parameter"],
         ("AWS::CodeBuild::Project", "AWS::SSM::Parameter")),
        (["AWS::Lambda::Permission", "AWS::IAM::Policy", "AWS::CDK::Metadata"], ()),
        (["Custom::Anything", "AWS::CloudFormation::CustomResource", "Datadog::Monitors::Monitor"], ()),
        (["AWSQS::EKS::Cluster", "AwsCommunity::S3::DeleteBucketContents"], ()),
        (["AWS::New::Thing"], ("AWS::New::Thing",)),
        (["AWS::DynamoDB::GlobalTable"], ("AWS::DynamoDB::GlobalTable",)),  # of replicas alone
        (["aws::s3::bucket"], ("aws::s3::bucket",)),
        (["Custom", "::", "", "Some::Module::Of::MODULE", "A\n::B::C"],
         ("", "::", "A\n::B::C", "Custom", "Some::Module::Of::MODULE")),
        (["AWS::EC2::KeyPair"], ()),
    ],
)  # fmt: skip
def test_types_that_cannot_be_tagged_are_named(types: list[str], named: tuple[str, ...]) -> None:
    """Unknown means no; what takes no tags, or is not CloudFormation's own, needs no right."""
    assert uncovered(types) == named


def test_types_that_take_tags_at_creation_alone_are_named() -> None:
    """Whether an update skips, refuses or replaces them, nobody says."""
    types = ["AWS::S3::AccessGrant", "AWS::EC2::KeyPair", "AWS::EC2::VPC", "X", "AWS::EC2::KeyPair"]
    assert at_creation_only(types) == ("AWS::EC2::KeyPair", "AWS::S3::AccessGrant")


def test_every_type_of_the_schemas_is_known(schemas: dict[str, dict[str, Any]]) -> None:
    """Each says of itself whether it takes tags, and when."""
    never = [
        n
        for n, one in schemas.items()
        if not one.get("tagging", {"taggable": 1}).get("taggable", True)
    ]
    assert len(never) > 400
    assert uncovered(never) == at_creation_only(never) == ()
    late = [n for n, one in schemas.items() if one.get("tagging", {}).get("tagUpdatable") is False
            and one["tagging"].get("taggable", True)]  # fmt: skip
    assert at_creation_only(late) == tuple(sorted(late))


OURS = {"cloudformation:ChangeSetName": CHANGE_SET}
THEIRS = {"cloudformation:ChangeSetName": "pipeline"}
URL = {"cloudformation:TemplateUrl": "https://s3.amazonaws.com/any/template.yaml"}
POLICY = {"cloudformation:StackPolicyUrl": "https://s3.amazonaws.com/any/policy.json"}
ROLE = {"cloudformation:RoleArn": "arn:aws:iam::000000000000:role/admin"}
OWN = "arn:aws:cloudformation:eu-west-1:000000000000:stack/janitor-dev/1"
JANITORS = {"aws:ResourceTag/janitor:self": "prod"}
PARAMETER = "arn:aws:ssm:eu-west-1:000000000000:parameter/"
API = "arn:aws:apigateway:eu-west-1::"


@pytest.mark.parametrize(
    "action,resource,context,allowed",
    [
        ("cloudformation:UpdateStack", STACK, {}, True),
        ("cloudformation:UpdateStack", STACK, URL, False),
        ("cloudformation:UpdateStack", STACK, POLICY, False),
        ("cloudformation:UpdateStack", STACK, ROLE, False),
        ("cloudformation:UpdateStack", STACK, {**URL, **VIA}, True),  # of a nested stack
        ("cloudformation:UpdateStack", STACK, {**POLICY, **VIA}, False),
        ("cloudformation:UpdateStack", STACK, {**ROLE, **VIA}, False),
        ("cloudformation:UpdateStack", OWN, {}, False),
        ("cloudformation:UpdateStack", OWN, VIA, False),
        ("cloudformation:UpdateStack", STACK, JANITORS, False),
        *(
            (f"cloudformation:{verb}ChangeSet", resource, context, allowed)
            for verb in ("Create", "Execute", "Delete")
            for resource, context, allowed in [
                (STACK, OURS, True),
                (STACK, THEIRS, False),
                (STACK, {}, False),
                (STACK, {"cloudformation:ChangeSetName": f"{CHANGE_SET}-2"}, False),
                (STACK, {**THEIRS, **VIA}, True),  # CloudFormation's own, for a nested stack
                (OWN, OURS, False),
                (STACK, {**OURS, **JANITORS}, False),
            ]
        ),
        ("cloudformation:CreateChangeSet", STACK, {**OURS, **URL}, False),
        ("cloudformation:CreateChangeSet", STACK, {**OURS, **ROLE}, False),
        ("cloudformation:CreateChangeSet", STACK, {**OURS, **POLICY}, False),
        ("cloudformation:CreateChangeSet", STACK, {**THEIRS, **URL, **VIA}, True),
        ("cloudformation:CreateChangeSet", "arn:aws:cloudformation:eu-west-1:aws:transform/Serverless-2016-10-31", {}, True),
        ("cloudformation:DescribeChangeSet", STACK, THEIRS, True),
        ("cloudformation:ListChangeSets", STACK, {}, True),
        ("cloudformation:GetTemplate", STACK, {}, True),
        ("cloudformation:GetTemplate", OWN, {}, True),
        *((f"cloudformation:{name}", STACK, VIA, False) for name in (
            "CreateStack", "DeleteStack", "SetStackPolicy", "UpdateTerminationProtection",
            "ContinueUpdateRollback", "RollbackStack", "CancelUpdateStack", "GetResource",
            "DetectStackDrift", "SignalResource",
        )),
        ("ssm:GetParameters", f"{PARAMETER}cdk-bootstrap/hnb659fds/version", {}, True),
        ("ssm:GetParameters", "arn:aws:ssm:eu-west-1::parameter/aws/service/ecs/image", {}, True),
        ("ssm:GetParameters", f"{PARAMETER}aws/mine", VIA, False),
        ("ssm:GetParameters", f"{PARAMETER}anything", VIA, False),
        ("ssm:GetParameters", f"{PARAMETER}janitor-dev/Mode", VIA, False),
        ("apigateway:GET", f"{API}/restapis/abc", VIA, True),
        ("apigateway:GET", f"{API}/restapis/abc", {}, False),
        ("apigateway:GET", f"{API}/apikeys/abc", VIA, False),
        ("apigateway:GET", f"{API}/usageplans/abc", VIA, True),
        ("apigateway:GET", f"{API}/usageplans/abc/keys", VIA, False),
        ("apigateway:PUT", f"{API}/tags/arn", VIA, True),
        ("apigateway:PUT", f"{API}/tags/arn", {}, False),
        ("apigateway:PUT", f"{API}/restapis/abc", VIA, False),
        ("apigateway:PATCH", f"{API}/restapis/abc", VIA, False),
        ("lambda:TagResource", "arn:aws:lambda:eu-west-1:000000000000:function:f", VIA, True),
        ("lambda:TagResource", "arn:aws:lambda:eu-west-1:000000000000:function:f",
         {"aws:CalledVia": ("athena.amazonaws.com",)}, False),
        ("lambda:TagResource", "arn:aws:lambda:eu-west-1:000000000000:function:f",
         {"aws:CalledVia": ("cloudformation.amazonaws.com", "lambda.amazonaws.com")}, True),
        ("iam:TagRole", "arn:aws:iam::000000000000:role/r", VIA, True),
        ("iam:TagRole", "arn:aws:iam::000000000000:role/janitor-dev-SweepRole-1", VIA, False),
        ("iam:PutRolePolicy", "arn:aws:iam::000000000000:role/r", VIA, False),
        ("iam:PassRole", "arn:aws:iam::000000000000:role/r", VIA, False),
        ("s3:GetObject", "arn:aws:s3:::bucket/key", VIA, False),
        ("dynamodb:TagResource", "<LeaseTable.Arn>", VIA, False),
    ],
)  # fmt: skip
def test_the_sweep_may_write_tags_and_nothing_else(
    action: str, resource: str, context: dict[str, str], allowed: bool
) -> None:
    """By the statements of template.yaml, with the keys that the emulator does not know."""
    assert is_allowed(SWEEP, Request(action, resource, context)) is allowed


@pytest.mark.parametrize(
    "condition,context,allowed",
    [
        ({"StringEquals": {"a": "x"}}, {"A": "x"}, True),
        ({"StringEquals": {"a": ["x", "y"]}}, {"a": "y"}, True),
        ({"StringEquals": {"a": "x"}}, {"a": "X"}, False),
        ({"StringEquals": {"a": "x"}}, {}, False),
        ({"StringEqualsIfExists": {"a": "x"}}, {}, True),
        ({"StringEqualsIfExists": {"a": "x"}}, {"a": "y"}, False),
        ({"StringNotEquals": {"a": ["x", "y"]}}, {"a": "y"}, False),
        ({"StringNotEquals": {"a": "x"}}, {}, True),
        ({"StringLike": {"a": "x*z?"}}, {"a": "x/y/z1"}, True),
        ({"StringLike": {"a": "x.z"}}, {"a": "xyz"}, False),
        ({"ArnLike": {"a": "arn:*:role/r"}}, {"a": "arn:aws:iam::1:role/r"}, True),
        ({"ArnNotLike": {"a": "arn:*:role/r"}}, {"a": "arn:aws:iam::1:role/r"}, False),
        ({"Bool": {"a": "false"}}, {"a": "False"}, True),
        ({"Null": {"a": "true"}}, {}, True),
        ({"Null": {"a": "true"}}, {"a": ""}, False),
        ({"Null": {"a": "false", "b": "true"}}, {"a": "x"}, True),
        ({"Null": {"a": "false", "b": "true"}}, {"a": "x", "b": "y"}, False),
        ({"ForAnyValue:StringEquals": {"a": "x"}}, {"a": ("y", "x")}, True),
        ({"ForAnyValue:StringEquals": {"a": "x"}}, {}, False),
        ({"ForAllValues:StringEquals": {"a": "x"}}, {"a": ("y", "x")}, False),
        ({"ForAllValues:StringEquals": {"a": "x"}}, {}, True),
        ({"StringEquals": {"a": "x"}, "Bool": {"b": "true"}}, {"a": "x"}, False),
    ],
)
def test_conditions_hold_as_iams_do(
    condition: dict[str, Any], context: dict[str, Any], allowed: bool
) -> None:
    """What the tests above stand on."""
    statement = {"Effect": "Allow", "Action": "s:*", "Resource": "*", "Condition": condition}
    assert is_allowed([statement], Request("S:Do", "r", context)) is allowed


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"a": "x"}}},
        {"Effect": "Allow", "Action": "*", "NotResource": "x"},
        {"Effect": "Allow", "Action": "*", "Resource": "*",
         "Condition": {"ForMostValues:StringEquals": {"a": "x"}}},
        {"Effect": "Allow", "Action": "*", "Resource": "*",
         "Condition": {"ForAnyValue:StringEquals": {"a": "x"}}},
    ],
)  # fmt: skip
def test_what_the_evaluator_does_not_know_is_an_error(statement: dict[str, Any]) -> None:
    """Else a test would pass because a statement was passed over."""
    with pytest.raises(ValueError, match=r"not known here|do not go together"):
        is_allowed([statement], Request("s:Do", "r", {"a": "x"}))
