"""The cast of the demo: a policy, and stacks of every interesting kind."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from janitor.domain.model import Mode

HOME, AWAY = "eu-central-1", "us-east-1"
CLICKED, WIPED, STUCK, STUBBORN = "feat-checkout", "feat-reports", "feat-broken", "feat-payments"
CLICKER = "chris@example.com"
CHATTED, SLACK_OWNER = "feat-loyalty", "ines@example.com"
TOOLS, PARENT, QUICK = "shared-tools", "feat-shop", "feat-quick"

# One place without summer time for each offset from UTC-11 to UTC+12.
# fmt: off
_PLACES = (
    "Pacific/Pago_Pago", "Pacific/Honolulu", "Pacific/Gambier", "Pacific/Pitcairn",
    "America/Phoenix", "America/Costa_Rica", "America/Bogota", "America/La_Paz",
    "America/Sao_Paulo", "America/Noronha", "Atlantic/Cape_Verde", "Africa/Abidjan",
    "Africa/Lagos", "Africa/Johannesburg", "Africa/Nairobi", "Asia/Dubai",
    "Asia/Karachi", "Asia/Dhaka", "Asia/Bangkok", "Asia/Singapore",
    "Asia/Tokyo", "Australia/Brisbane", "Pacific/Guadalcanal", "Pacific/Tarawa",
)
# fmt: on

POLICY = """\
mode: {mode}
regions: [{home}, {away}]
defaults:
  grace: 24h                  # between the final notice and the deletion
  ownerless_grace: 48h        # nobody to ask: wait longer
  reminders: [48h, 24h]
  max_lifetime: 30d
  fallback_contact: platform@example.com
rules:                        # the first that matches wins
  - name: shared
    select: {{tag: purpose, equals: shared}}
    allow_never: true
  - name: features
    select: {{any: [{{tag: "janitor:ttl"}}, {{tag: "janitor:expires"}}]}}
window:
  days: [mon, tue, wed, thu, fri, sat, sun]
  hours: 09:00-17:00
  zone: {zone}
"""

_RELEASE = '''
import boto3, json, urllib.request

def handler(event, context):
    """Release the data of a stack; refuse while a dump of it is running."""
    answer = {"Status": "SUCCESS", "PhysicalResourceId": "payments-data", "Data": {}}
    if event["RequestType"] == "Delete":
        try:
            boto3.client("ssm").get_parameter(Name=event["ResourceProperties"]["Lock"])
            answer |= {"Status": "FAILED", "Reason": "a dump of the data is still running"}
        except boto3.client("ssm").exceptions.ParameterNotFound:
            pass
    answer |= {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    request = urllib.request.Request(
        event["ResponseURL"], json.dumps(answer).encode(), {"Content-Type": ""}, method="PUT"
    )
    urllib.request.urlopen(request)
'''
_FUNCTION, LOCK, BUCKET = "release-data", "/payments/dump", "feature-templates"
QUEUE = {"Queue": {"Type": "AWS::SQS::Queue"}}


class PolicyFile(Struct, frozen=True):
    """Where the policy is written, in the zone of the story."""

    path: Path
    zone: str

    def write(self, mode: Mode) -> str:
        """Put the policy into force, and return it."""
        text = POLICY.format(mode=mode.value, home=HOME, away=AWAY, zone=self.zone)
        self.path.write_text(text, encoding="utf-8")
        return text


class Part(Struct, frozen=True, eq=False):
    """One stack of the cast."""

    name: str
    kind: str
    """What is interesting about it, in a few words."""
    tags: Mapping[str, str]
    stands: bool = False
    """Whether it still stands at the end."""
    resources: Mapping[str, Any] = field(default_factory=lambda: QUEUE)
    region: str = HOME


def place_where_it_is_morning(now: datetime) -> str:
    """Return a zone in which the working day has just begun, so that each day has its hours."""
    hour = 9 if now.minute < 50 else 8
    return _PLACES[(hour - now.hour + 11) % 24]


def cast(today: date) -> tuple[Part, ...]:
    """Return the stacks that the developers have deployed by `today`."""
    yesterday = (today - timedelta(days=1)).isoformat()

    def owned(owner: str, ttl: str, **more: str) -> dict[str, str]:
        tags = {"janitor:owner": f"{owner}@example.com", "janitor:ttl": ttl}
        return tags | {f"janitor:{key}": value for key, value in more.items()}

    return (
        Part("feat-new-basket", "fresh", owned("ana", "2w"), stands=True),
        Part("feat-search", "due soon", owned("ben", "3d")),
        Part("feat-search", "same name, other region", owned("ben", "3d"), region=AWAY),
        Part(
            "feat-old-banner",
            "expired yesterday",
            {"janitor:owner": "ana@example.com", "janitor:expires": yesterday},
        ),
        Part(CLICKED, "extended by a click", owned("chris", "2d")),
        Part(CHATTED, "kept by a button in Slack", owned("ines", "2d")),
        Part("demo-board", "protected", owned("dora", "1d", protect="board meeting"), stands=True),
        Part("feat-orphan", "nobody owns it", {"janitor:ttl": "2d"}),
        Part("feat-typo", "bad tag", owned("emil", "three days"), stands=True),
        Part(
            "team-database",
            "never, as its rule allows",
            owned("platform", "never") | {"purpose": "shared"},
            stands=True,
        ),
        Part("feat-forever", "never, which no rule allows", owned("fay", "never"), stands=True),
        Part(PARENT, "has a nested stack", owned("gus", "4d"), resources=_nesting()),
        Part(WIPED, "a redeploy wipes its tags", owned("dora", "4d")),
        Part(STUCK, "its create failed: takes no tags", owned("emil", "1d"), resources=_broken()),
        Part(STUBBORN, "its delete fails at first", owned("hana", "5d"), resources=_stubborn()),
        Part(QUICK, "deleted by its owner", owned("ben", "3d")),
        Part(TOOLS, "not managed", {"owner": "platform"}, stands=True, resources=_tools()),
    )


def _nesting() -> dict[str, Any]:
    url = f"https://s3.amazonaws.com/{BUCKET}/database.json"
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}
    return {**QUEUE, "Database": nested}


def _broken() -> dict[str, Any]:
    taken = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": BUCKET}}
    return {**QUEUE, "Bucket": taken}


def _stubborn() -> dict[str, Any]:
    arn = f"arn:aws:lambda:{HOME}:${{AWS::AccountId}}:function:{_FUNCTION}"
    properties = {"ServiceToken": {"Fn::Sub": arn}, "Lock": LOCK}
    return {**QUEUE, "Data": {"Type": "Custom::Data", "Properties": properties}}


def _tools() -> dict[str, Any]:
    trust = {"Version": "2012-10-17", "Statement": []}
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}}
    function = {
        "FunctionName": _FUNCTION,
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": _RELEASE},
    }
    return {"Role": role, "Release": {"Type": "AWS::Lambda::Function", "Properties": function}}
