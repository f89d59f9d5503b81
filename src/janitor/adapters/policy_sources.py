"""Where the policy comes from: a file, an SSM parameter, or nobody wrote one."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from janitor.adapters.aws.errors import AwsError, code_of, is_denied, message_of, translated
from janitor.application.ports import Ledger, Policies
from janitor.domain.errors import ConfigurationError
from janitor.domain.lease.deadlines import shown
from janitor.domain.model import Mode
from janitor.domain.planning.accepted_policy import swept_by
from janitor.domain.policy.loader import parse_policy
from janitor.domain.policy.model import Policy, default_policy

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


def effective_mode(override: Mode | None, written: Mode) -> Mode:
    """Return the override, unless the policy says `off`: that stops everything, everywhere."""
    return written if written is Mode.OFF or override is None else override


read_policy = lru_cache(maxsize=4)(parse_policy)
"""Read a document that is fetched anew for each deletion, and is mostly the same."""


class DefaultPolicies:
    """The `Policies` port where nobody wrote a policy."""

    def __init__(self, mode_override: Mode | None = None) -> None:
        self._override = mode_override

    def policy(self) -> Policy:
        """Return the built-in policy."""
        return default_policy()

    def mode(self) -> Mode:
        """Return the override, or what the policy says."""
        return effective_mode(self._override, self.policy().mode)


class KeptPolicies:
    """The `Policies` port on what the last sweep went by, as the ledger kept it."""

    def __init__(self, ledger: Ledger, mode_override: Mode | None = None) -> None:
        self._ledger = ledger
        self._override = mode_override

    def policy(self) -> Policy:
        """Return that policy, or the built-in one before the first sweep.

        Raises `ConfigurationError` where another version of the janitor kept it.
        """
        account = self._ledger.account()
        if not account.policy_version:
            return default_policy()
        policy = swept_by(account)
        if policy is None:
            raise ConfigurationError(
                f"the policy {account.policy_version} of the last sweep cannot be read from the"
                " ledger: give the --policy of the sweeps"
            )
        return policy

    def mode(self) -> Mode:
        """Return the override, or what the policy says."""
        return effective_mode(self._override, self.policy().mode)


class FilePolicies:
    """The `Policies` port on a YAML or JSON file, read anew at every call."""

    def __init__(self, path: Path, mode_override: Mode | None = None) -> None:
        self._path = path
        self._override = mode_override

    def policy(self) -> Policy:
        """Read the file."""
        try:
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            said = getattr(error, "strerror", None) or error
            raise ConfigurationError(f"the policy {self._path} cannot be read: {said}") from error
        return read_policy(text, str(self._path))

    def mode(self) -> Mode:
        """Return the override, or what the policy says now."""
        return effective_mode(self._override, self.policy().mode)


class ParameterPolicies:
    """The `Policies` port on an SSM parameter, read anew at every call."""

    def __init__(self, client: "SSMClient", name: str, mode_override: Mode | None = None) -> None:
        self._client = client
        self._name = name
        self._override = mode_override

    def policy(self) -> Policy:
        """Read the parameter."""
        return read_policy(read_parameter(self._client, self._name), self._name)

    def mode(self) -> Mode:
        """Return the override, or what the policy says now."""
        return effective_mode(self._override, self.policy().mode)


class ModeParameter:
    """The `Policies` port where an SSM parameter of its own holds the mode.

    Operators switch a deployed janitor by it; it comes before what the policy says.
    """

    def __init__(self, policies: Policies, client: "SSMClient", name: str) -> None:
        self._policies = policies
        self._client = client
        self._name = name

    def policy(self) -> Policy:
        """Read the policy from where it is."""
        return self._policies.policy()

    def mode(self) -> Mode:
        """Read the parameter."""
        value = read_parameter(self._client, self._name).strip()
        try:
            return effective_mode(Mode(value), self._policies.policy().mode)
        except ValueError as error:
            raise ConfigurationError(
                f"the parameter {self._name} holds {shown(value)};"
                " it must be off, observe, notify or enforce"
            ) from error


def read_parameter(client: "SSMClient", name: str) -> str:
    """Return a parameter's value, decrypted. Raises `ConfigurationError` where it is not there."""
    region = client.meta.region_name
    try:
        return client.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    except AwsError as error:
        if code_of(error) == "ParameterNotFound":
            raise ConfigurationError(f"there is no parameter {name} in {region}") from error
        if is_denied(error):
            raise ConfigurationError(
                f"the parameter {name} in {region} may not be read: {message_of(error)}"
            ) from error
        raise translated(error, f"reading the parameter {name} in {region}") from error
