"""The emulated account with three stages in it, built and deployed once per run and worker."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.deployed import REGION, ROOT_KEY, Account, Inbox, Stage
from tests.acceptance.lacking import without_what_lacks
from tests.acceptance.wire import Wire
from tests.cloudformation_template import read_template
from tests.hooks import Hooks
from tests.slack_server import Workspace, slack_server

from janitor.entrypoints.demo.emulator import emulated_aws

ROOT = Path(__file__).resolve().parents[2]
SAM = ROOT / ".cache/sam/bin/sam"
EMULATOR = ROOT / ".cache/emulator/bin/python"
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
BUILD = ROOT / ".cache" / f"build-host-{WORKER}"
BUCKET = "artifacts"
STAGES = pytest.StashKey[dict[str, Stage]]()
POLICY: dict[str, Any] = {
    "rules": [
        {
            "name": "one",
            "select": {"tag": "team-one"},
            "grace": "0m",
            "ownerless_grace": "0m",
            "tagging": "on",
        }
    ],
    "window": {
        "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        "hours": "00:00-24:00",
    },
    "limits": {
        "min_observed": "0m",
    },
}
"""Everything at once, so that a life of days takes seconds."""

SETTINGS = {
    "one": {
        "Mode": "enforce",
        "SelectorTag": "team-one",
        "AllowPurge": "true",
        "CleanupRoleArn": "arn:aws:iam::000000000000:role/cleanup",
    },
    "two": {
        "Mode": "notify",
        "SelectorTag": "team-two",
        "FallbackContact": "#team-two",
        "Regions": REGION,
        "ScheduleExpression": "rate(1 minute)",
        "OpsEmail": "ops@example.com",
        "Archive": "off",
    },
    "three": {"Mode": "enforce", "SelectorTag": "team-three"},
}
"""The third has Slack, whose secrets are made when it is deployed."""
SLACK_POLICY = {**POLICY, "rules": [{**POLICY["rules"][0], "select": {"tag": "team-three"}}]}


def run(*command: str, stdin: int | None = None, **environment: str) -> str:
    """Run a tool with the root credentials of the emulated account and nothing else of AWS.

    Without `stdin` nobody is there to answer.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={
            **kept,
            **{name.upper(): value for name, value in ROOT_KEY.items() if value},
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "*",
            "SAM_CLI_TELEMETRY": "0",
            "__SAM_CLI_APP_DIR": str(ROOT / ".cache/sam/home"),
            **environment,
        },
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    if done.returncode:
        pytest.fail(f"{command[:4]} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def verify(stage: Stage) -> None:
    """Let the command line verify all chains of a stage's journal."""
    run(
        str(Path(sys.executable).parent / "janitor"), "audit", "verify",
        "--lease-table", stage.outputs["LeaseTableName"],
        "--journal-table", stage.outputs["JournalTableName"],
        AWS_ENDPOINT_URL=stage.account.url,
    )  # fmt: skip


@pytest.fixture(scope="session")
def wire() -> Iterator[Wire]:
    """Lay the wire to DynamoDB; it leads somewhere once there is an account."""
    wire = Wire()
    yield wire
    wire.close()


@pytest.fixture(scope="session")
def hooks() -> Iterator[Hooks]:
    """Run what stands for CodeDeploy."""
    hooks = Hooks()
    yield hooks
    hooks.close()


@pytest.fixture(scope="session")
def account(wire: Wire, hooks: Hooks) -> Iterator[Account]:
    """Run the emulator, which evaluates IAM policies, and make a bucket for the code.

    Its functions inherit its environment, and so reach DynamoDB over the wire.
    """
    if not (SAM.exists() and EMULATOR.exists()):
        pytest.fail("make sam emulator, or make acceptance, which does it first")
    with emulated_aws(
        python=str(EMULATOR),
        AUTH="true",
        MINISTACK_REGION=REGION,
        AWS_ACCESS_KEY_ID=ROOT_KEY["aws_access_key_id"],
        AWS_SECRET_ACCESS_KEY=ROOT_KEY["aws_secret_access_key"],
        LAMBDA_ASYNC_RETRY_BASE_SECONDS="0.1",
        AWS_ENDPOINT_URL_DYNAMODB=wire.url,
        AWS_ENDPOINT_URL_CODEDEPLOY=hooks.url,
    ) as url:
        wire.lead_to(url)
        account = Account(url)
        account.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        yield account


@pytest.fixture(scope="session")
def slack() -> Iterator[Workspace]:
    """Run a Slack on this machine."""
    with slack_server() as workspace:
        yield workspace


@pytest.fixture(scope="session")
def template(slack: Workspace) -> Path:
    """Build the functions for this machine, and return the built template less what lacks.

    Where it says nothing of Slack's address, the functions are told that of the fake one.
    """
    run("make", "build", "BUILD_FOR=host", f"BUILD_DIR={BUILD}")
    built = without_what_lacks(read_template(BUILD / "template.yaml"))
    for function in ("NotifyFunction", "CheckFunction"):
        environment = built["Resources"][function]["Properties"]["Environment"]
        environment["Variables"]["JANITOR_SLACK_URL"] = slack.url
    path = BUILD / "deployable.json"
    path.write_text(json.dumps(built), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def packaged(account: Account, template: Path) -> str:
    """Upload the code, and return the template that names it there."""
    path = BUILD / "packaged.json"
    run(
        str(SAM), "package", "--template-file", str(template), "--s3-bucket", BUCKET,
        "--output-template-file", str(path), "--use-json",
        AWS_ENDPOINT_URL=account.url,
    )  # fmt: skip
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def slack_secrets(account: Account, slack: Workspace) -> dict[str, str]:
    """Put what Slack gives an app into secrets; return the parameters that name them."""
    secrets = account.client("secretsmanager")
    values = {"SlackSecretArn": slack.token, "SlackSigningSecretArn": slack.signing_secret}
    return {
        parameter: secrets.create_secret(Name=parameter, SecretString=value)["ARN"]
        for parameter, value in values.items()
    }


@pytest.fixture(scope="session")
def aged(account: Account) -> str:
    """Create a stack for the test that needs an old one: by then it is, and nobody waits."""
    return account.create_stack("feat-by-mail", {})


@pytest.fixture(scope="session")
def stages(
    account: Account,
    aged: str,  # before everything else
    packaged: str,
    slack_secrets: dict[str, str],
    request: pytest.FixtureRequest,
) -> dict[str, Stage]:
    """Deploy three stages side by side with `sam deploy`, as `make deploy` does."""

    def deploy(name: str) -> Stage:
        settings = {**SETTINGS[name], **(slack_secrets if name == "three" else {})}
        overrides = [f'{key}="{value}"' for key, value in settings.items()]
        run(
            str(SAM), "deploy", "--template-file", str(BUILD / "packaged.json"),
            "--stack-name", f"janitor-{name}", "--s3-bucket", BUCKET,
            "--capabilities", "CAPABILITY_IAM", "--tags", f"janitor:self={name}",
            "--no-confirm-changeset", "--no-progressbar",
            "--parameter-overrides", f"Stage={name}", "AllowedCidrs=127.0.0.0/8", *overrides,
            AWS_ENDPOINT_URL=account.url,
        )  # fmt: skip
        return Stage(account, name)

    with ThreadPoolExecutor() as pool:
        deployed = {stage.name: stage for stage in pool.map(deploy, SETTINGS)}
    request.session.stash[STAGES] = deployed
    return deployed


@pytest.fixture(scope="session")
def inboxes(stages: dict[str, Stage]) -> dict[str, Inbox]:
    """Subscribe to the notices of both stages."""
    return {name: Inbox(stage) for name, stage in stages.items()}


@pytest.fixture
def one(stages: dict[str, Stage], inboxes: dict[str, Inbox]) -> Stage:
    """Return the stage that enforces, under a policy without waiting times, all read so far."""
    stage = stages["one"]
    stage.set_policy(**POLICY)
    stage.set_mode("enforce")
    inboxes["one"].read()
    return stage


@pytest.fixture
def three(stages: dict[str, Stage]) -> Stage:
    """Return the stage that has Slack, under a policy without waiting times."""
    stage = stages["three"]
    stage.set_policy(**SLACK_POLICY)
    stage.set_mode("enforce")
    return stage


@pytest.fixture
def inbox(inboxes: dict[str, Inbox]) -> Inbox:
    """Return what the stage that enforces tells."""
    return inboxes["one"]


@pytest.fixture(autouse=True)
def _logs_of_failures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Show what the functions logged as wrong during a test that then fails."""
    yield
    stages: dict[str, Stage] = request.session.stash.get(STAGES, {})
    for stage in stages.values():
        for line in stage.new_errors():
            print(f"{stage.name}: {line}")  # noqa: T201 - pytest shows it with a failure
