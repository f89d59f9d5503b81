"""An AWS session: the one place where clients are made."""

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import Struct, field

from janitor.domain.errors import ConfigurationError
from janitor.settings import Settings

if TYPE_CHECKING:
    import boto3


class Aws(Struct, frozen=True):
    """An AWS session whose clients are made once per service and region."""

    session: "boto3.Session"
    home: str
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str, region: str | None = None) -> Any:
        """Return the client; several threads may ask."""
        from janitor.adapters.aws.client_config import config_of

        key = (service, region or self.home)
        with self._lock:  # making clients of one session is not thread-safe
            if key not in self._clients:
                make: Any = self.session.client  # typed for literal service names only
                try:
                    self._clients[key] = make(
                        service, region_name=key[1], config=config_of(service)
                    )
                except ValueError as error:  # botocore's word on an endpoint that is no URL
                    raise ConfigurationError(f"AWS_ENDPOINT_URL: {error}") from error
            return self._clients[key]

    def check_regions(self, regions: Iterable[str]) -> None:
        """Raise `ConfigurationError` for a region that this version of boto3 does not know."""
        known = {
            region
            for partition in self.session.get_available_partitions()
            for region in self.session.get_available_regions("cloudformation", partition)
        }
        for region in regions:
            if region not in known:
                raise ConfigurationError(
                    f"region {region!r} is unknown; for instance eu-central-1 (a newer region"
                    " needs a newer boto3)"
                )

    def is_real(self) -> bool:
        """Tell whether any call would reach AWS itself, whatever the settings seem to say."""
        hosts = [
            str(urlsplit(self.client(service).meta.endpoint_url).hostname)
            for service in ("cloudformation", "dynamodb", "sns")
        ]
        return any("amazonaws" in host or host.endswith(".aws") for host in hosts)

    def identity(self) -> str:
        """Return who is at work here, as the journal names operators."""
        import getpass

        from janitor.adapters.aws.errors import AwsError

        try:
            return str(self.client("sts").get_caller_identity()["Arn"])
        except AwsError:
            return f"{getpass.getuser()} (unconfirmed)"


def connect(settings: Settings, *, check_regions: bool = True) -> Aws:
    """Open an AWS session by the ordinary settings of the AWS tools."""
    import boto3

    from janitor.adapters.aws.client_config import speed_up_timestamps
    from janitor.adapters.aws.errors import AwsError, translated
    from janitor.adapters.aws.response_check import take_only_aws

    try:
        session = boto3.Session(region_name=settings.region)
        if not session.region_name and len(settings.regions) == 1:
            session = boto3.Session(region_name=settings.regions[0])
    except AwsError as error:
        raise translated(error, "reading the AWS settings") from error
    if not session.region_name:
        raise ConfigurationError("no AWS region is set: set AWS_REGION to where the tables are")
    for prepare in (take_only_aws, speed_up_timestamps):
        prepare(session._session)  # noqa: SLF001 - boto3 has no other way to botocore's
    aws = Aws(session, session.region_name)
    if check_regions:
        aws.check_regions((aws.home, *settings.regions))
    return aws
