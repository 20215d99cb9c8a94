"""S3 by TLS behind a CA of one's own, as inside the miniature; and a CA that nobody trusts."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from etl_lambda import settings
from etl_lambda.bucket import RawBucket
from etl_lambda.errors import LoaderError, PermanentError
from etl_lambda.listing import Found
from tests.loader.test_connection import Certificates, make_certificates
from tests.toolbox import free_port

KEY = "events/2026/11/01/event-1.json"
SYSTEM = Path("/etc/ssl/certs/ca-certificates.crt")


@pytest.fixture(scope="module")
def secure_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Certificates]]:
    """The https address of an S3 server, and its throwaway CA."""
    made = make_certificates(tmp_path_factory.mktemp("ca"))
    port = free_port()
    files = ["-c", str(made.server), "-k", str(made.key)]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port), *files]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    assert process.poll() is None, "the S3 server ended at its start"
                    assert time.monotonic() < deadline, "the S3 server does not answer"
                    time.sleep(0.1)
            yield f"https://127.0.0.1:{port}", made
        finally:
            process.terminate()


def bucket(url: str, monkeypatch: pytest.MonkeyPatch, **env: str) -> RawBucket:
    """The raw bucket as the environment says."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "SSL_CERT")):
            monkeypatch.delenv(name)
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "test"}
    fixed = {"RAW_BUCKET": "raw-bucket", "DWH_HOST": "h", "DWH_USER": "u", "DWH_PASSWORD": "p"}
    for name, value in {"AWS_ENDPOINT_URL": url, **keys, **fixed, **env}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ETL_ATTEMPTS", "1")
    return RawBucket(settings.from_environment(os.environ))


def read(raw: RawBucket) -> bytes:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    return asyncio.run(raw.reader().read(Found(KEY, "e", at, 2, at))).data


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "AWS_CA_BUNDLE"])
@pytest.mark.parametrize("with_system", [True, False])
def test_a_ca_of_ones_own(
    secure_s3: tuple[str, Certificates],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variable: str,
    with_system: bool,
) -> None:
    import boto3

    url, made = secure_s3
    bundle = tmp_path / "bundle.pem"
    system = SYSTEM.read_text() if with_system else ""
    bundle.write_text(system + made.ca.read_text())
    raw = bucket(url, monkeypatch, **{variable: str(bundle)})
    client = boto3.client("s3", region_name="ap-southeast-1", verify=str(made.ca))
    region = {"LocationConstraint": "ap-southeast-1"}
    if not client.list_buckets()["Buckets"]:
        client.create_bucket(Bucket="raw-bucket", CreateBucketConfiguration=region)  # type: ignore[arg-type]
    client.put_object(Bucket="raw-bucket", Key=KEY, Body=b"{}")
    assert [listed.key for listed in raw.lister().page("events/").objects] == [KEY]
    assert read(raw) == b"{}"


def test_a_ca_that_nobody_trusts(
    secure_s3: tuple[str, Certificates], monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = bucket(secure_s3[0], monkeypatch)
    for attempt in (lambda: raw.lister().page("events/"), lambda: read(raw)):
        with pytest.raises(PermanentError) as caught:
            attempt()
        assert caught.value.code == "s3_certificate"


def test_a_bundle_without_a_certificate_is_a_setting_to_mend(
    secure_s3: tuple[str, Certificates], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").write_text("no certificate")
    raw = bucket(secure_s3[0], monkeypatch, AWS_CA_BUNDLE=str(tmp_path / "empty.pem"))
    with pytest.raises(LoaderError) as caught:
        raw.lister()
    assert caught.value.code == "ca_bundle"
