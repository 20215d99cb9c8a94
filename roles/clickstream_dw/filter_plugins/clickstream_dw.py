"""Filter that turns a password into what PostgreSQL stores of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

from ansible.errors import AnsibleFilterError

ITERATIONS = 4096
SALT_BYTES = 16


def scram_verifier(password: str, salt: str) -> str:
    """Return the SCRAM-SHA-256 verifier of a password, in the form of PostgreSQL's pg_authid.

    The salt is the first 16 bytes of SHA-256 of the text `salt`, so that the same password and
    text give the same verifier: that text has to change with the password (a secret's version
    id). Passwords are printable ASCII, for which SASLprep (RFC 4013) changes nothing; others
    raise AnsibleFilterError. Source: RFC 5802, RFC 7677.
    """
    if not password or not salt:
        raise AnsibleFilterError("a SCRAM verifier needs a password and a text for its salt")
    if not all(" " <= character <= "~" for character in password):
        raise AnsibleFilterError("the password must be printable ASCII")
    salted_with = hashlib.sha256(salt.encode()).digest()[:SALT_BYTES]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salted_with, ITERATIONS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored = hashlib.sha256(client).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = (base64.b64encode(part).decode() for part in (salted_with, stored, server))
    salt64, stored64, server64 = parts
    return f"SCRAM-SHA-256${ITERATIONS}:{salt64}${stored64}:{server64}"


class FilterModule:
    """Ansible's entry to the filter."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"clickstream_dw_scram_verifier": scram_verifier}
