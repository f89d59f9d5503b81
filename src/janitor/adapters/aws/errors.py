"""What AWS answers when it does not do what was asked, as one line that a person can act on."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from janitor.domain.deletion.causes import THROTTLED_CODES
from janitor.domain.errors import ConfigurationError, JanitorError

AwsError = (ClientError, BotoCoreError)
"""Everything that boto3 raises about a call."""

_LONGEST = 500

_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    SSOError,
    ProfileNotFound,
    NoRegionError,
)
_CREDENTIAL_CODES = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_DENIED_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "UnauthorizedOperation",
    }
)
_TRANSIENT_CODES = THROTTLED_CODES | {
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "OperationInProgressException",
    "RequestTimeout",
    "ServiceUnavailable",
}


def code_of(error: Exception) -> str:
    """Return the error code of AWS, empty if the error never came from there."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def message_of(error: Exception) -> str:
    """Return the message of an error as one line of sane length."""
    text = str(error)
    if isinstance(error, ClientError):
        text = str(error.response.get("Error", {}).get("Message", "") or text)
    return " ".join(text.split())[:_LONGEST]


def request_id_of(error: ClientError) -> str:
    """Return the id under which AWS support finds the request."""
    return str(error.response.get("ResponseMetadata", {}).get("RequestId", ""))


def is_about_credentials(error: Exception) -> bool:
    """Tell whether no call at all will work before somebody logs in."""
    return isinstance(error, _CREDENTIALS) or code_of(error) in _CREDENTIAL_CODES


def is_not_enabled(error: Exception) -> bool:
    """Tell whether a region may be one that the account has not opted into.

    Such a region knows no credentials of the account, so it says of good ones that they are bad:
    https://docs.aws.amazon.com/general/latest/gr/rande-manage.html.
    """
    return code_of(error) in {"InvalidClientTokenId", "UnrecognizedClientException"}


def is_denied(error: Exception) -> bool:
    """Tell whether a permission is missing."""
    return code_of(error) in _DENIED_CODES


def is_throttled(error: Exception) -> bool:
    """Tell whether AWS took no such call for now, as there were too many."""
    return code_of(error) in THROTTLED_CODES


def is_broken_off(error: ClientError) -> bool:
    """Tell whether AWS failed amid the call, and so may have done what was asked all the same.

    Not where it only throttled, which some services say with a status of 503.
    """
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 and not is_throttled(error)


def is_transient(error: Exception) -> bool:
    """Tell whether the same call may work later: throttling, outages, the network."""
    if isinstance(error, ClientError):
        return code_of(error) in _TRANSIENT_CODES or is_broken_off(error)
    return isinstance(error, BotoCoreError) and not is_about_credentials(error)


def translated(error: Exception, doing: str) -> JanitorError:
    """Return the error as ours; `doing` is what failed: `reading the table leases`."""
    code = code_of(error)
    said = f"{code}: {message_of(error)}" if code else message_of(error)
    if is_about_credentials(error):
        return ConfigurationError(f"AWS credentials are not usable for {doing}: {said}")
    return JanitorError(f"{doing} failed: {said}")
