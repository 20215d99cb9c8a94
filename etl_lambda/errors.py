"""The two families of errors, and the decision for each driver error which family it is.

A transient error may pass when the same work is tried again; a permanent one needs a person. Messages
are written here, from the error's code alone: a driver's own text can hold a password or a signature.
"""

from __future__ import annotations

import re
import ssl

import psycopg2


class LoaderError(Exception):
    """A failure with a short stable `code` and a message without secrets."""

    transient = False

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TransientError(LoaderError):
    """Trying the same again later can succeed."""

    transient = True


class PermanentError(LoaderError):
    """Trying the same again fails the same way: somebody has to change something."""


class RequestError(PermanentError):
    """The payload has a field that is unknown or cannot be parsed; `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__("bad_request", f"{field}: {message}")
        self.field = field


class BusyError(TransientError):
    """Another run holds the loader's lock."""

    def __init__(self) -> None:
        super().__init__("busy", "another run holds the loader's lock")


class VanishedError(LoaderError):
    """The object was deleted after it was listed."""

    def __init__(self) -> None:
        super().__init__("vanished", "the object was deleted after it was listed")


_Rules = tuple[tuple[tuple[str, ...], type[LoaderError], str, str], ...]

# By the code of S3's answer (AWS's S3 API reference, "Error responses").
_S3_CODES: _Rules = (
    (("NoSuchBucket",), PermanentError, "missing_bucket", "the bucket does not exist"),
    (
        ("ExpiredToken", "TokenRefreshRequired", "RequestExpired"),
        TransientError,
        "expired_credentials",
        "the AWS credentials have expired",
    ),
    (
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidClientTokenId"),
        PermanentError,
        "wrong_credentials",
        "AWS does not accept the credentials",
    ),
    (
        ("RequestTimeTooSkewed",),
        PermanentError,
        "wrong_clock",
        "this machine's clock is too far from AWS's",
    ),
    (
        ("AccessDenied", "AllAccessDisabled"),
        PermanentError,
        "access_denied",
        "S3 denies access: check the role's policy, the bucket's and the endpoint's",
    ),
    (
        ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
        PermanentError,
        "wrong_region",
        "the bucket is in another region",
    ),
    (
        ("SlowDown", "InternalError", "RequestTimeout", "ServiceUnavailable"),
        TransientError,
        "s3_unavailable",
        "S3 answers that it is overloaded or broken",
    ),
)
# By the words of the bulk client about why there is no answer, searched in this order.
_S3_CAUSES: _Rules = (
    (
        ("InvalidCertificate", "invalid peer certificate", "No CA certificates"),
        PermanentError,
        "s3_certificate",
        "the certificate of S3's endpoint does not verify",
    ),
    (
        ("BadScheme",),
        PermanentError,
        "s3_scheme",
        "the S3 endpoint is plain http although TLS is required",
    ),
    (("BareRedirect",), PermanentError, "wrong_region", "the bucket is in another region"),
    (("kind: Timeout",), TransientError, "s3_timeout", "S3 did not answer in time"),
    (
        ("HttpError",),
        TransientError,
        "s3_unreachable",
        "S3 cannot be reached: check the route to its endpoint and the security group",
    ),
)
# The bulk client puts the answer into the text of its error: in front of it as it is, with the object's
# key and S3's message, and once more behind this line as Rust writes values, without a line's end in any
# of them. Only what stands there at its place is no text of somebody else's.
_DEBUG = "\n\nDebug source:\n"
_INNER = re.compile(r"\n +inner: (.*)", re.DOTALL)
_STATUS = re.compile(r'Status \{\n +status: ([0-9]{3}),\n +body: (?:None|Some\(\n +"(.*)",\n)')
_CODE = re.compile(r"<Code>([A-Za-z.]+)</Code>")


def s3_answer(error: BaseException) -> tuple[int, str] | None:
    """Return the status and the `<Code>` of the answer that the bulk client raised, or None."""
    found = _STATUS.match(_cause(error))
    if found is None:
        return None
    code = _CODE.search(found[2] or "")
    return int(found[1]), code[1] if code else ""


def _cause(error: BaseException) -> str:
    """Return what the bulk client says of why a request failed, without key and address."""
    details = str(error).rpartition(_DEBUG)[2]
    inner = _INNER.search(details)
    return inner[1] if inner else details


def from_s3(error: BaseException, bucket: str) -> LoaderError:
    """Return the error of our own for what the S3 client raised about `bucket`."""
    if isinstance(error, LoaderError):
        return error
    answer = s3_answer(error)
    if answer is not None:
        status, code = answer
        if status == 404 and code != "NoSuchBucket":
            return VanishedError()
        return from_s3_status(status, code, bucket)
    cause = _cause(error)
    if isinstance(error, TimeoutError):
        cause = "kind: Timeout"
    elif isinstance(error, ssl.SSLCertVerificationError):
        cause = "InvalidCertificate"
    elif isinstance(error, OSError):
        cause = "HttpError"
    for needles, family, name, message in _S3_CAUSES:
        if any(needle in cause for needle in needles):
            return family(name, f"bucket {bucket}: {message}")
    return PermanentError("s3_error", f"bucket {bucket}: {type(error).__name__}")


def from_s3_status(status: int, code: str, bucket: str) -> LoaderError:
    """Return the error for an HTTP status and the `<Code>` of S3's answer about `bucket`."""
    if status in {401, 403} and not any(code in codes for codes, *_ in _S3_CODES):
        code = "AccessDenied"
    elif 300 <= status < 400:
        code = "PermanentRedirect"
    for codes, family, name, message in _S3_CODES:
        if code in codes:
            return family(name, f"bucket {bucket}: {message}")
    if status >= 500 or status in {408, 429}:
        return TransientError("s3_unavailable", f"bucket {bucket}: S3 answers {status} {code}")
    return PermanentError("s3_error", f"bucket {bucket}: S3 answers {status} {code}")


_CONNECT_RULES: _Rules = (
    (
        ("password authentication failed", "no password supplied"),
        PermanentError,
        "wrong_password",
        "the warehouse does not accept the password of DWH_USER",
    ),
    (
        ("certificate verify failed", "does not match host name", "signature failure"),
        PermanentError,
        "db_certificate",
        "the warehouse's certificate does not verify against the CA of the package",
    ),
    (
        ("root certificate file",),
        PermanentError,
        "db_ca_missing",
        "the file with the warehouse's CA is missing",
    ),
    (
        ("server does not support SSL",),
        PermanentError,
        "db_no_tls",
        "the warehouse does not offer TLS",
    ),
    (
        ("no pg_hba.conf entry", "pg_hba.conf rejects"),
        PermanentError,
        "db_not_admitted",
        "the warehouse does not admit this user from this address",
    ),
    (("role ",), PermanentError, "wrong_user", "the warehouse does not know DWH_USER"),
    (
        ("database ",),
        PermanentError,
        "missing_database",
        "the database DWH_DATABASE does not exist",
    ),
)


def from_db(error: psycopg2.Error) -> LoaderError:
    """Return the error of our own for what the PostgreSQL driver raised.

    Classes of SQLSTATE: PostgreSQL's manual, appendix A.
    """
    state = error.pgcode or ""
    if not state:
        return _from_connect(str(error))
    if state == "57014":
        return TransientError("db_timeout", "the warehouse took longer than the statement timeout")
    if state == "28P01":
        return _from_connect("password authentication failed")
    if state[:2] in {"08", "40", "53", "58"} or state in {"55P03", "57P01", "57P02", "57P03"}:
        return TransientError("db_unavailable", f"the warehouse answers SQLSTATE {state}")
    if state in {"25P03", "57P05"}:
        return TransientError("db_idle", f"the warehouse closed an idle session ({state})")
    if state == "42501":
        return PermanentError("db_privilege", f"DWH_USER lacks a privilege (SQLSTATE {state})")
    return PermanentError("db_error", f"the warehouse answers SQLSTATE {state}{_where(error)}")


def _where(error: psycopg2.Error) -> str:
    """Return the names of the objects that the server's report gives; names only, never values."""
    diag = error.diag
    names = [diag.schema_name, diag.table_name, diag.column_name, diag.constraint_name]
    text = ".".join(name for name in names if name)
    return f" at {text}" if text else ""


def _from_connect(text: str) -> LoaderError:
    """Decide an error without SQLSTATE: the connection was not made, or was lost."""
    for needles, family, code, message in _CONNECT_RULES[:5]:
        if any(needle in text for needle in needles):
            return family(code, message)
    if "does not exist" in text:
        for needles, family, code, message in _CONNECT_RULES[5:]:
            if any(needle in text for needle in needles):
                return family(code, message)
    if any(word in text for word in ("could not translate", "refused", "No route", "timeout")):
        return TransientError(
            "db_unreachable",
            "the warehouse cannot be reached: check DWH_HOST, DWH_PORT and the security groups",
        )
    return TransientError("db_lost", "the connection to the warehouse was lost")
