"""Settings from the environment, and the limits of the loader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from etl_lambda.errors import PermanentError

PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Limits:
    """What the loader takes at most; each can be set by the variable `ETL_<NAME>`.

    - `object_bytes`: a larger object is quarantined whole (`object_too_large`), unread but for 4 KiB.
    - `decompressed_bytes`: a gzip that unpacks to more is quarantined whole (`object_too_large`).
    - `record_bytes`: a larger record goes to quarantine (`record_too_large`), its neighbours load.
    - `nesting`: deeper arrays and objects in a record: quarantine (`too_deep`).
    - `records`: a file's records after so many go to quarantine as one reject (`too_many_records`).
    - `chunk_events`: a commit is made after about so many events (a whole object stays together).
    - `chunk_objects`: or after so many objects.
    - `fetch_concurrency`: GET requests under way at once.
    - `fetch_bytes`: bytes of objects held in memory at once, read and waiting (one object always fits).
    - `list_concurrency`: list requests under way at once.
    - `run_objects`: objects that one run takes, the oldest first; the rest waits for the next run.
    - `request_seconds`: time-out of a request to S3 (a list request's is 30 s at most).
    - `attempts`: tries of a request to S3, and of a lost connection to the warehouse.
    - `relist_days`: days that the daily second listing looks back for late objects.
    - `stop_seconds`: time kept back before the function's time is out.
    - `statement_seconds`: the warehouse's statement timeout for the loader.
    """

    object_bytes: int = 64 * 2**20
    decompressed_bytes: int = 128 * 2**20
    record_bytes: int = 2**20
    nesting: int = 64
    records: int = 2_000_000
    chunk_events: int = 150_000
    chunk_objects: int = 20_000
    fetch_concurrency: int = 64
    fetch_bytes: int = 96 * 2**20
    list_concurrency: int = 8
    run_objects: int = 500_000
    request_seconds: int = 120
    attempts: int = 5
    relist_days: int = 35
    stop_seconds: int = 30
    statement_seconds: int = 600


@dataclass(frozen=True)
class Settings:
    """Where to read from and where to write to. `password` is not part of any text form.

    `error_budget` is the share of a run's records (0 to 1) that may go to quarantine before it warns.
    """

    bucket: str
    host: str
    user: str
    password: str = field(repr=False)
    port: int = 5432
    database: str = "clickstream_dw"
    prefix: str = "events/"
    region: str = "ap-southeast-1"
    endpoint: str | None = None
    ca_bundle: str | None = None
    sslmode: str = "verify-full"
    sslrootcert: str | None = None
    error_budget: float = 0.01
    limits: Limits = Limits()


def from_environment(env: Mapping[str, str]) -> Settings:
    """Return the settings of `env`.

    Raises PermanentError that names the variable when one is missing or is not such a number.
    """
    return Settings(
        bucket=_text(env, "RAW_BUCKET"),
        host=_text(env, "DWH_HOST"),
        user=_text(env, "DWH_USER"),
        password=_text(env, "DWH_PASSWORD"),
        port=_number(env, "DWH_PORT", 5432),
        database=env.get("DWH_DATABASE") or "clickstream_dw",
        region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "ap-southeast-1",
        endpoint=env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL") or None,
        ca_bundle=env.get("AWS_CA_BUNDLE") or env.get("SSL_CERT_FILE") or None,
        sslmode=env.get("DWH_SSLMODE") or "verify-full",
        sslrootcert=env.get("DWH_SSLROOTCERT") or _packed_ca(),
        error_budget=_share(env, "ETL_ERROR_BUDGET", Settings.error_budget),
        limits=limits_of(env),
    )


def _packed_ca() -> str | None:
    """Return the CA certificate that the zip carries, in the package or beside it."""
    for place in (PACKAGE / "ca.crt", PACKAGE.parent / "ca.crt"):
        if place.is_file():
            return str(place)
    return None


def limits_of(env: Mapping[str, str]) -> Limits:
    """Return the limits that variables set. Raises PermanentError for one that is no number."""
    defaults = Limits()
    names = Limits.__dataclass_fields__
    return Limits(
        **{name: _number(env, f"ETL_{name.upper()}", getattr(defaults, name)) for name in names}
    )


def _text(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise PermanentError("bad_settings", f"{name} is not set")
    return value


def _number(env: Mapping[str, str], name: str, default: int) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise PermanentError("bad_settings", f"{name} is not a whole number above 0")
    return int(text)


def _share(env: Mapping[str, str], name: str, default: float) -> float:
    try:
        share = float(env.get(name) or default)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:  # what is no number is not between them either
        raise PermanentError("bad_settings", f"{name} is not a share from 0 to 1")
    return share
