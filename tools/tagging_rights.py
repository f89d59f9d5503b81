"""`make rights`: write what the sweep's role may do for tags, from AWS's own schemas of its types.

Without a service role CloudFormation passes a stack's tags on to its resources with the caller's
permissions. Which a type needs, its schema says: `tagging.permissions`, and `handlers.read`, since
CloudFormation looks at what it changed. cfn-lint ships the schemas, and a list of IAM's actions.

This takes the types in the order of `FIRST`, then the others, the cheapest first, for as long as
what they need fits into `POLICIES` managed policies. It gives no action of `NONE_TO_GIVE`: a type
that needs one is tagged only under a service role. Two things are written:

- the managed policies in template.yaml, between the two marks;
- src/janitor/domain/tagging/taggable_types.py, which says of every type whether it can be tagged.

docs/adr/0024 says why. tests/domain/tagging/test_rights.py fails when these drift from the schemas.
"""

import importlib.util
import json
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import groupby, starmap
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "template.yaml"
TYPES = ROOT / "src/janitor/domain/tagging/taggable_types.py"

POLICIES = 5
"""Managed policies of the sweep's role that are made here; a role takes ten."""
SIZE = 6144
"""Characters of a managed policy, whitespace not counted.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""

FIRST = """
Lambda: Function EventSourceMapping CodeSigningConfig
IAM: Role User OIDCProvider SAMLProvider ServerCertificate
DynamoDB: Table
SQS: Queue
SNS: Topic
S3: Bucket
ApiGateway: RestApi Stage DomainName UsagePlan ClientCertificate DomainNameV2
ApiGatewayV2: Stage
Logs: LogGroup
Events: Rule EventBus
Scheduler: ScheduleGroup
StepFunctions: StateMachine Activity
EC2: VPC Subnet SecurityGroup InternetGateway RouteTable NatGateway EIP Instance VPCEndpoint
EC2: NetworkAcl NetworkInterface Volume DHCPOptions FlowLog PrefixList
EC2: TransitGateway TransitGatewayAttachment TransitGatewayRouteTable EgressOnlyInternetGateway
EC2: CustomerGateway VPNGateway VPNConnection
ECS: Cluster Service TaskDefinition CapacityProvider
ECR: Repository
RDS: DBInstance DBCluster DBSubnetGroup DBParameterGroup DBClusterParameterGroup OptionGroup
RDS: DBProxy DBProxyEndpoint EventSubscription
ElasticLoadBalancingV2: LoadBalancer TargetGroup Listener ListenerRule TrustStore
ElasticLoadBalancing: LoadBalancer
AutoScaling: AutoScalingGroup
CloudFront: Distribution
Cognito: UserPool IdentityPool
KMS: Key
SecretsManager: Secret
CloudWatch: Alarm CompositeAlarm Dashboard InsightRule MetricStream
AppSync: GraphQLApi Api ChannelNamespace DomainName
Kinesis: Stream
KinesisFirehose: DeliveryStream
EFS: FileSystem AccessPoint
CodePipeline: Pipeline CustomActionType
CodeConnections: Connection
CodeStarConnections: Connection
CodeStarNotifications: NotificationRule
CodeCommit: Repository
CodeDeploy: Application DeploymentGroup
CodeArtifact: Domain Repository
CertificateManager: Certificate
Route53: HostedZone HealthCheck
WAFv2: WebACL IPSet RuleGroup RegexPatternSet
Pipes: Pipe
SSM: Document MaintenanceWindow PatchBaseline Association
ServiceDiscovery: PrivateDnsNamespace PublicDnsNamespace HttpNamespace Service
ApplicationAutoScaling: ScalableTarget
ElastiCache: ReplicationGroup CacheCluster SubnetGroup ParameterGroup ServerlessCache User UserGroup
OpenSearchService: Domain
EKS: Cluster Nodegroup Addon FargateProfile AccessEntry PodIdentityAssociation
Batch: JobQueue JobDefinition SchedulingPolicy
Glue: Job Crawler Trigger Workflow Registry Schema
Athena: WorkGroup DataCatalog
Backup: BackupVault BackupPlan
CloudTrail: Trail
Config: ConfigurationAggregator
Redshift: Cluster ClusterParameterGroup
RedshiftServerless: Namespace Workgroup
SageMaker: NotebookInstance Model Endpoint EndpointConfig Domain Pipeline
MSK: Cluster
AmazonMQ: Broker Configuration
Transfer: Server
SES: ConfigurationSet EmailIdentity
XRay: Group SamplingRule
ResourceGroups: Group
MemoryDB: Cluster SubnetGroup ParameterGroup
Neptune: DBInstance DBSubnetGroup DBParameterGroup DBClusterParameterGroup
EMRServerless: Application
Location: Map PlaceIndex RouteCalculator Tracker GeofenceCollection
IoT: TopicRule ThingType ThingGroup
Cloud9: EnvironmentEC2
ImageBuilder: ImagePipeline ImageRecipe InfrastructureConfiguration
DMS: ReplicationSubnetGroup ReplicationTask Endpoint EventSubscription
NetworkFirewall: Firewall FirewallPolicy RuleGroup
Route53Resolver: ResolverEndpoint ResolverRule
GlobalAccelerator: Accelerator
Timestream: Database Table
VpcLattice: Service ServiceNetwork TargetGroup Listener
Grafana: Workspace
ElasticBeanstalk: Environment
KinesisAnalyticsV2: Application
VerifiedPermissions: PolicyStore
ServiceCatalogAppRegistry: Application
APS: Workspace RuleGroupsNamespace
"""
"""Which types come first: the services of a service's developers in the order of their use."""

NOT_NEEDED = {
    ("*", "iam:passrole"): "asked for who gives a role to a service, which reading and tags do not",
    ("AWS::SecretsManager::Secret", "secretsmanager:getsecretvalue"): (
        "DescribeSecret shows the secret's tags and settings; the value is asked for when it is made"
    ),
    ("AWS::Lambda::Function", "kms:decrypt"): (
        "without it GetFunction answers, with an error in place of the variables under a key of"
        " one's own (docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html)"
    ),
    (
        "AWS::Lambda::EventSourceMapping",
        "kms:decrypt",
    ): "for filters under a key of one's own alone",
    ("AWS::StepFunctions::StateMachine", "kms:decrypt"): "for a key of one's own alone",
    ("AWS::Pipes::Pipe", "kms:decrypt"): "for a key of one's own alone",
    (
        "AWS::Cognito::UserPool",
        "kms:decrypt",
    ): "for triggers that send mail under a key of one's own",
    ("AWS::S3::Bucket", "s3:deletebuckettagging"): (
        "IAM has no such action; s3:PutBucketTagging is asked for"
        " (docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketTagging.html)"
    ),
    ("AWS::EC2::VPCEndpoint", "vpc-lattice:describeservicenetworkvpcendpointassociation"): (
        "IAM has no such action; for endpoints of service networks alone"
    ),
    ("AWS::Redshift::ClusterParameterGroup", "initech:describereport"): "there is no such service",
    ("AWS::AutoScaling::AutoScalingGroup", "managed-fleets:get*"): (
        "no action of that service is published; groups were read before there was one"
    ),
}
"""What a schema names and tagging does not take, by type and action, with why we think so."""

MISSPELLED = {
    "network-firewall:ListTagsForResources": "network-firewall:ListTagsForResource",
    "redshift:DescribeSnapshotCopyGrant": "redshift:DescribeSnapshotCopyGrants",
}
"""Actions that schemas name and IAM does not know, with the ones that are meant."""

GIVEN = {
    "lambda:getfunction": (
        "it shows where the code is, and variables; without it no function could be tagged, and"
        " CloudFormation tells nobody what it read"
    ),
    "ec2:describeinstanceattribute": "it shows user data; as lambda:GetFunction",
    "autoscaling:describe*": "it shows user data of launch configurations; as lambda:GetFunction",
    "appsync:getgraphqlapienvironmentvariables": "as lambda:GetFunction",
    "ssm:getdocument": "a document is a definition, as a state machine's; as lambda:GetFunction",
    "s3:listbucket": "HeadBucket asks for it; names of objects, no content",
    "s3:putbuckettagging": "tags",
    "autoscaling:createorupdatetags": "tags",
    "route53:changetagsforresource": "tags",
    "kms:getkeypolicy": "who may use a key, not what it hides",
    "kms:getkeyrotationstatus": "a setting",
}
"""What is given though the rules below would not, with why."""

TAGS = r"(tag|untag|addtags|removetags|createtags|deletetags)"
READS = r"(describe|list|get|batchget|batchdescribe)"
NONE_TO_GIVE = {
    r"apigateway:": "one action for everything: template.yaml gives it by path, for what fits",
    r"cloudformation:": "the template's own statements say what of it the sweep may",
    r"sts:": "it is somebody else's credentials",
    r"kms:(?!describe|list|tag|untag)": "a key's use or rules",
    r"secretsmanager:(?!describe|list|tag|untag)": "secrets",
    r"ssm:getparameter": "values of parameters",
    r"ssm:getopsitem": "what people wrote about an accident",
    r"(s3|s3-outposts|s3express):(getobject|listobjects|listbucketversions|doesobjectexist)": "data",
    r"(dynamodb|dax):(getitem|batchgetitem|getrecords|getsharditerator)": "data",
    r"kinesis:(getrecords|getsharditerator|subscribe)": "data",
    r"cassandra:": "rows and what they are in are one action",
    r"logs:(get(logevents|queryresults|logrecord|logobject)|filterlogevents)": "what was logged",
    r"cloudwatch:getmetric(data|statistics)": "what was measured",
    r"codecommit:(get(file|blob|folder|commit|differences)|gitpull|batchgetcommits)": "code",
    r"(cloudfront|mediatailor):getfunction$": "code",
    r"lambda:get(webfunction|microvmimage|layerversion)": "where code is",
    r"glue:(getconnection|getsession)": "passwords, and what is typed",
    r"datapipeline:getpipelinedefinition": "passwords stand in them",
    r"amplify:getwebhook": "who knows the address may deploy",
    r"amplify:getapp$": "it shows the password of pages that have one",
    r"ivs:(get|list)streamkey": "who knows it may send",
    r"geo:(describe|list)key": "it shows the key itself",
    r"appsync:listapikeys": "it shows the keys themselves",
    r"lightsail:get(keypair|instanceaccess|.*masteruserpassword)": "keys and passwords",
    r"route53globalresolver:(get|list)accesstoken": "tokens",
    r"bedrock-agentcore:get\w*credentialprovider": "where credentials are",
    r"iot:getthingshadow": "what a thing said last",
    r"iotmanagedintegrations:get(credentiallocker|managedthingcertificate)": "credentials",
    r"(translate:get(paralleldata|terminology)|transcribe:get\w*vocabulary)": "addresses of data",
    r"(identitystore|connect|chime):(describe|list)\w*user": "who somebody is",
    r"(cases|profile):(get|search|list)(case|relateditem|profile(s|object))$": "who somebody is",
    r"frauddetector:getlistelements": "data",
    r"billing:getbillingviewdata": "what things cost",
    r"outposts:getsiteaddress": "where somebody lives",
    r"(wisdom|qbusiness):getcontent": "data",
    r"(bedrock|aws-external-anthropic):(get|list)session": "what was said",
    r"ecr(-public)?:get(authorizationtoken|downloadurl)": "tokens and images",
    r".*:get\w*(token|credential|password|secret|presigned|download|apikey|privatekey)": "secrets",
    rf"[\w-]+:(?!{TAGS}|{READS})": "it changes more than tags, or does something",
}
"""Patterns of actions that the role never gets, in lower case, from their beginning, with why."""

DOUBTFUL = re.compile(
    "execution|invocation|session|message|conversation|record|finding|result|token|credential"
    "|secret|password|value|output|item|object|logs?$|logevent|user|keys?$|contact|content|launchconfig"
    "|launchtemplatevers|attribute|parameter|command|jobs?$|request|preview|participant|face|phone"
)
"""What a wildcard must not reach besides what is needed: rather data than metadata."""

BY_HAND = {"AWS::CloudFormation::Stack": "a nested stack; the role may update stacks"}
"""Types that the template's own statements are enough for."""

API_GATEWAY = {
    "AWS::ApiGateway::ClientCertificate",
    "AWS::ApiGateway::DomainName",
    "AWS::ApiGateway::DomainNameV2",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGateway::UsagePlan",
    "AWS::ApiGatewayV2::Stage",
}
"""Types whose tags are set at `/tags/…` alone, for all that their schemas say. Not here: those
that PATCH, which changes the thing itself, and API keys, whose reading can show the key."""

SILENT = "its schema does not say what it needs"
MODULE = '''\
"""Which types of CloudFormation take tags, and which of them the sweep's role can tag.

Made by tools/tagging_rights.py (`make rights`); domain/tagging/rights.py reads it.
"""

TYPES = """\\
'''
POLICY = """\
  TaggingRights{number}:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      Description: Tags on resources, and looking at them, through CloudFormation alone
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action: [
{actions}            ]
            Resource: "*"
            Condition: {{"ForAnyValue:StringEquals": {{"aws:CalledVia": [cloudformation.amazonaws.com]}}}}

"""
MARK = "  # {} the rights to pass tags on; made by tools/tagging_rights.py (make rights)\n"


class Needs(NamedTuple):
    """What one type takes to be tagged."""

    type: str
    actions: frozenset[str]
    """In the schema's own spelling, without what is not needed."""

    @property
    def services(self) -> frozenset[str]:
        """Return the services whose actions these are."""
        return frozenset(spelled(action)[0] for action in self.actions)


class Rights(NamedTuple):
    """What came out."""

    policies: tuple[tuple[str, ...], ...]
    """Of each managed policy its actions."""
    covered: frozenset[str]
    refused: Mapping[str, str]
    """Type → the first action that it needs and that is none to give, and why."""
    at_creation: frozenset[str]
    without: frozenset[str]
    """Types that take no tags."""
    left: frozenset[str]
    """Types that take tags and are not covered."""


def data() -> Path:
    """Return where cfn-lint keeps what it ships, without importing it (it takes a second)."""
    found = importlib.util.find_spec("cfnlint")
    if not found or not found.origin:
        raise SystemExit("cfn-lint is not installed: make setup")
    return Path(found.origin).parent / "data"


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schema of every type, by its name."""
    files = sorted((data() / "schemas/resources").glob("*.json"))
    read = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    return {one["typeName"]: one for one in read}


@cache
def known() -> dict[str, frozenset[str]]:
    """Return the actions that IAM knows, in lower case, by service."""
    file = data() / "AdditionalSpecs/Policies.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    return {service: frozenset(one["Actions"]) for service, one in found.items()}


def takes_tags(schema: Mapping[str, Any]) -> bool:
    """Tell whether resources of a type have tags: without a word on it, whether they look so."""
    tagging = schema.get("tagging")
    if tagging is not None:
        return bool(tagging.get("taggable", True))
    names = {*schema["properties"], *schema.get("definitions", ())}
    looks = any(re.fullmatch(r"tag|.*tags|tagspecifications", n, re.IGNORECASE) for n in names)
    return bool(schema.get("taggable", looks))


def takes_them_late(schema: Mapping[str, Any]) -> bool:
    """Tell whether an update can change the tags of a type that has some."""
    tagging = schema.get("tagging", {})
    where = tagging.get("tagProperty", "/properties/Tags")
    return tagging.get("tagUpdatable", True) and where not in schema.get("createOnlyProperties", ())


@cache
def why_not(action: str) -> str | None:
    """Return why an action is none to give, or None for one that is."""
    lower = action.lower()
    if lower in GIVEN:
        return None
    service, _, rest = lower.partition(":")
    if "*" in rest and not (rest.endswith("*") and may_stand_for(service, rest[:-1])):
        return "a wildcard that reaches more than tags and metadata"
    if "*" not in rest and rest not in known().get(service, ()):
        return "IAM knows no such action"
    return next((why for pattern, why in NONE_TO_GIVE.items() if re.match(pattern, lower)), None)


def needs(name: str, schema: Mapping[str, Any]) -> Needs | None:
    """Return what a taggable and updatable type needs; None where its schema does not say."""
    tagging = schema.get("tagging", {}).get("permissions", ())
    reading = schema.get("handlers", {}).get("read", {}).get("permissions", ())
    if not tagging or not reading:
        return None
    wanted = {*tagging, *reading}
    dropped = {a for kind, a in NOT_NEEDED if kind in {"*", name}}
    kept = {MISSPELLED.get(action, action) for action in wanted if action.lower() not in dropped}
    return Needs(name, frozenset(kept))


def spelled(action: str) -> tuple[str, str]:
    """Return service, in lower case as IAM has it, and the action within it."""
    service, _, rest = action.partition(":")
    return service.lower(), rest


def cost(service: str, pattern: str) -> int:
    """Return the characters that one entry of a list of actions takes."""
    return len(f'"{service}:{pattern}",')


def may_stand_for(service: str, prefix: str, wanted: frozenset[str] = frozenset()) -> bool:
    """Tell whether `prefix*` names tags or metadata alone, besides what is wanted (lower case).

    Get is too wide a word for a wildcard: what comes to be called so may be anything.
    """
    named = re.match(rf"{TAGS}|describe|list", prefix, re.IGNORECASE)
    return bool(named) and doubtful_under(service, prefix) <= wanted


@cache
def doubtful_under(service: str, prefix: str) -> frozenset[str]:
    """Return the doubtful actions whose names begin so, in lower case."""
    return frozenset(one for one in doubtful(service) if one.startswith(prefix.lower()))


@cache
def doubtful(service: str) -> frozenset[str]:
    """Return the actions of a service that no wildcard may reach, in lower case."""
    return frozenset(
        one
        for one in known().get(service, frozenset())
        if DOUBTFUL.search(one) or why_not(f"{service}:{one}")
    )


def prefixes(actions: Iterable[str]) -> set[str]:
    """Return the beginnings of actions that end where a word does: `Describe`, `DescribeVpc`."""
    return {
        "".join(words[:count])
        for action in actions
        for words in [re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+|[0-9]+", action)]
        for count in range(1, len(words) + 1)
    }


@cache
def short(service: str, wanted: frozenset[str]) -> tuple[str, ...]:
    """Return a short list of patterns for the wanted actions of a service, in order."""
    found = {action for action in wanted if action.endswith("*")}
    single = {a for a in wanted if not any(a.lower().startswith(f[:-1].lower()) for f in found)}
    asked = frozenset(action.lower() for action in wanted)
    reach = {
        prefix: {action for action in single if action.startswith(prefix)}
        for prefix in sorted(prefixes(single))
        if may_stand_for(service, prefix, asked)
    }

    def saved(prefix: str) -> int:
        return sum(cost(service, a) for a in reach[prefix]) - cost(service, f"{prefix}*")

    while reach and saved(best := max(reach, key=saved)) > 0:
        found.add(f"{best}*")
        gone = reach.pop(best)
        single -= gone
        reach = {prefix: rest for prefix, one in reach.items() if (rest := one - gone)}
    return tuple(sorted(found | single))


def in_order() -> Iterator[str]:
    """Yield the types of `FIRST`."""
    for line in FIRST.strip().splitlines():
        service, _, kinds = line.partition(": ")
        yield from (f"AWS::{service}::{kind}" for kind in kinds.split())


def with_(chosen: Mapping[str, frozenset[str]], need: Needs) -> dict[str, frozenset[str]]:
    """Return, of the services that a type needs, all actions that are then wanted."""
    more: dict[str, set[str]] = defaultdict(set)
    for action in need.actions:
        service, rest = spelled(action)
        more[service].add(rest)
    return {service: chosen.get(service, frozenset()) | more[service] for service in more}


def added(chosen: Mapping[str, frozenset[str]], need: Needs) -> int:
    """Return how many characters a type takes besides what is chosen already."""
    more = with_(chosen, need)
    return size(more) - size({service: chosen[service] for service in more if service in chosen})


def size(lists: Mapping[str, frozenset[str]]) -> int:
    """Return the characters that the wanted actions of some services take."""
    return sum(cost(service, one) for service, w in lists.items() for one in short(service, w))


def document(actions: Iterable[str]) -> dict[str, Any]:
    """Return a managed policy that allows actions through CloudFormation alone."""
    via = {"ForAnyValue:StringEquals": {"aws:CalledVia": ["cloudformation.amazonaws.com"]}}
    statement = {"Effect": "Allow", "Action": [*actions], "Resource": "*", "Condition": via}
    return {"Version": "2012-10-17", "Statement": [statement]}


def length(value: Any) -> int:
    """Return the characters of a policy as IAM counts them."""
    return len(json.dumps(value, separators=(",", ":")))


ROOM = SIZE - length(document([]))


def packed(chosen: Mapping[str, frozenset[str]]) -> tuple[tuple[str, ...], ...] | None:
    """Return the actions of each policy; None if they do not fit. In order, so that edits are small."""
    policies: list[list[str]] = [[]]
    used = 0
    for service in sorted(chosen):
        for pattern in short(service, chosen[service]):
            size = cost(service, pattern)
            if used + size > ROOM + 1:  # no comma behind the last
                policies.append([])
                used = 0
            policies[-1].append(f"{service}:{pattern}")
            used += size
    return tuple(map(tuple, policies)) if len(policies) <= POLICIES else None


def choose(all_schemas: Mapping[str, dict[str, Any]]) -> Rights:
    """Decide which types the role can tag, and with which actions."""
    taggable = {name: one for name, one in all_schemas.items() if takes_tags(one)}
    late = {name: one for name, one in taggable.items() if takes_them_late(one)}
    by_hand = {*BY_HAND, *API_GATEWAY}
    wanted: dict[str, Needs] = {}
    refused: dict[str, str] = {}
    for name in late.keys() - by_hand:
        need = needs(name, late[name])
        if why := why_refused(need):
            refused[name] = why
        elif need:
            wanted[name] = need
    policies, covered = fill(wanted, [name for name in in_order() if name not in by_hand])
    covered |= by_hand
    return Rights(
        policies,
        covered,
        refused,
        frozenset(taggable.keys() - late.keys()),
        frozenset(all_schemas.keys() - taggable.keys()),
        frozenset(late.keys() - covered),
    )


def why_refused(need: Needs | None) -> str:
    """Return why a type is not tagged, whatever the room; empty if there is no such reason."""
    if need is None:
        return SILENT
    bad = sorted((action, why) for action in need.actions if (why := why_not(action)))
    return ", ".join(f"{action} ({why})" for action, why in bad)


def fill(
    wanted: Mapping[str, Needs], first: Sequence[str]
) -> tuple[tuple[tuple[str, ...], ...], frozenset[str]]:
    """Fill the policies: return the actions of each, and the types that they cover."""
    if lacking := [name for name in first if name not in wanted]:
        raise SystemExit(f"FIRST: {lacking} cannot be covered, or take no tags")
    chosen: dict[str, frozenset[str]] = {}
    for name in first:
        chosen |= with_(chosen, wanted[name])
    policies = packed(chosen)
    if policies is None:
        raise SystemExit("FIRST: they do not fit")
    covered = set(first)
    costs: dict[str, int] = {}
    while rest := wanted.keys() - covered:
        costs |= {name: added(chosen, wanted[name]) for name in rest - costs.keys()}
        name = min(sorted(rest), key=costs.__getitem__)
        more = with_(chosen, wanted[name])
        fuller = packed(chosen | more)
        if fuller is None:
            break
        policies = fuller
        chosen |= more
        covered.add(name)
        for other in rest:
            if wanted[other].services & more.keys():
                costs.pop(other)
    return policies, frozenset(covered)


def as_module(rights: Rights) -> str:
    """Return the file that ships with the janitor."""
    signs = {"+": rights.covered, "-": rights.left, "!": rights.at_creation, "=": rights.without}
    services: dict[str, list[str]] = defaultdict(list)
    for sign, names in signs.items():
        for name in names:
            service, _, kind = name.rpartition("::")
            services[service].append(sign + kind)
    lines = []
    for service in sorted(services):
        kinds = sorted(services[service], key=lambda kind: kind[1:])
        lines += textwrap.wrap(
            f"{service} {' '.join(kinds)}", 98, subsequent_indent="  ", break_long_words=False,
            break_on_hyphens=False,
        )  # fmt: skip
    return MODULE + "\n".join(lines) + '\n"""\n'


def as_template(rights: Rights, text: str) -> str:
    """Return the template with these policies between the marks."""
    before, begin, rest = text.partition(MARK.format("Begin of"))
    _, end, after = rest.partition(MARK.format("End of"))
    if not begin or not end:
        raise SystemExit(f"{TEMPLATE.name} lacks the marks that the policies stand between")
    return before + begin + "".join(starmap(as_policy, enumerate(rights.policies, 1))) + end + after


def as_policy(number: int, actions: Iterable[str]) -> str:
    """Return one policy as a resource of the template; one line for each service."""
    lines = [
        ", ".join(one) for _, one in groupby(actions, key=lambda action: action.partition(":")[0])
    ]
    return POLICY.format(number=number, actions="".join(f"              {x},\n" for x in lines))


def main() -> None:
    """Write both, and say how far they reach."""
    rights = choose(schemas())
    TYPES.write_text(as_module(rights), encoding="utf-8")
    template = TEMPLATE.read_text(encoding="utf-8")
    TEMPLATE.write_text(as_template(rights, template), encoding="utf-8")
    print(summary(rights))


def summary(rights: Rights) -> str:
    """Return in one line how many types can be tagged."""
    silent = sum(why == SILENT for why in rights.refused.values())
    return (
        f"{len(rights.covered)} of {len(rights.covered) + len(rights.left) - silent} types whose"
        f" tags can be updated are covered; {len(rights.refused) - silent} need an action that is"
        f" none to give, {len(rights.left) - len(rights.refused)} do not fit; of {silent} others"
        f" nobody says what they need, and {len(rights.at_creation)} take tags at creation only"
    )


if __name__ == "__main__":
    main()
