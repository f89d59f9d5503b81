"""Extension links: signed, bound to one stack and one generation, good for one action."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from itsdangerous import BadData, URLSafeSerializer, base64_decode, base64_encode
from msgspec import Struct

from janitor.domain.errors import BadLink, ExpiredLink
from janitor.domain.model import Contact, ContactKind

MAX_AGE = timedelta(days=60)
LONGEST_TOKEN = 2_048
EXTEND, LET_GO, SLACK = "extend", "let-go", "slack"
"""The actions that a token can be for; `slack` is what buttons there carry."""
LEAST_KEY = 32
"""Characters that a signing key has at least."""


class Claims(Struct, frozen=True):
    """What a link says: which stack, which of its deadlines, to whom it was sent."""

    stack_id: str
    generation: int
    contact: Contact
    issued_at: datetime


class Links(Struct, frozen=True):
    """Signs and verifies with a list of keys: the last one signs, all of them verify."""

    keys: Sequence[str]
    base_url: str

    def __post_init__(self) -> None:
        if not self.keys or any(len(key) < LEAST_KEY for key in self.keys):
            raise ValueError(f"a signing key has at least {LEAST_KEY} characters")

    def url(self, claims: Claims, action: str = EXTEND) -> str:
        """Return the address to put into a notice."""
        return f"{self.base_url.rstrip('/')}/{action}/{self.sign(claims, action)}"

    def sign(self, claims: Claims, action: str = EXTEND) -> str:
        """Return the token, URL-safe."""
        payload = [
            claims.stack_id,
            claims.generation,
            claims.contact.kind.value,
            claims.contact.address,
            int(claims.issued_at.timestamp()),
        ]
        return str(self._serializer(action).dumps(payload))

    def verify(self, token: str, now: datetime, action: str = EXTEND) -> Claims:
        """Return the claims of a token that we signed for this action.

        Raises `BadLink` for any other text, `ExpiredLink` for one that is too old. Whether
        the generation still is the lease's is for the journey to see, in the very write.
        """
        if len(token) > LONGEST_TOKEN or not _is_canonical(token):
            raise BadLink("this link is not one of ours")
        try:
            stack_id, generation, kind, address, issued = self._serializer(action).loads(token)
            claims = Claims(
                str(stack_id),
                int(generation),
                Contact(ContactKind(kind), str(address)),
                datetime.fromtimestamp(int(issued), UTC),
            )
        except (BadData, ValueError, TypeError, OverflowError, OSError) as error:
            raise BadLink("this link is not one of ours, or was cut off on its way") from error
        if now - claims.issued_at > MAX_AGE:
            raise ExpiredLink(f"this link is older than {MAX_AGE.days} days")
        return claims

    def _serializer(self, action: str) -> URLSafeSerializer:
        return URLSafeSerializer(
            list(self.keys),
            salt=f"janitor.{action}.v1",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


def _is_canonical(token: str) -> bool:
    """Tell whether the signature is spelled as we spell it: base64 has spare bits."""
    signature = token.rpartition(".")[2]
    try:
        return base64_encode(base64_decode(signature)).decode() == signature
    except BadData:
        return False
