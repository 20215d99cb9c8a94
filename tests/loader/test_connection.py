"""TLS and passwords as at AWS: SCRAM, verify-full with the package's CA, and errors told apart."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from etl_lambda.errors import LoaderError
from etl_lambda.loading import Warehouse
from etl_lambda.settings import Settings
from tests.toolbox import ROOT, PostgresServer, run

PASSWORD = "correct horse"


@dataclass
class Certificates:
    """A throwaway CA in `ca`, and a server's key and certificate for 127.0.0.1."""

    ca: Path
    key: Path
    server: Path


def _usage(**allowed: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment")
    more = ("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in (*names, *more)})


CA_USAGE = _usage(key_cert_sign=True, crl_sign=True)
SERVER_USAGE = _usage(digital_signature=True)


def _issuer(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def make_certificates(home: Path) -> Certificates:
    authority_key = ec.generate_private_key(ec.SECP256R1())
    server_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "throwaway CA")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "warehouse")])

    def builder(
        of: x509.Name, key: ec.EllipticCurvePrivateKey, ca: bool
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(of)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            # Python 3.13 verifies strictly: these have to be there.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(_issuer(authority_key), False)
            .add_extension(CA_USAGE if ca else SERVER_USAGE, critical=True)
        )

    authority = builder(name, authority_key, True).sign(authority_key, hashes.SHA256())
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    unsigned = builder(subject, server_key, False).add_extension(alternative, critical=False)
    certificate = unsigned.sign(authority_key, hashes.SHA256())
    made = Certificates(home / "ca.crt", home / "server.key", home / "server.crt")
    pem = serialization.Encoding.PEM
    made.ca.write_bytes(authority.public_bytes(pem))
    made.server.write_bytes(certificate.public_bytes(pem))
    made.key.write_bytes(
        server_key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The settings for a server that admits the loader by TLS and SCRAM only."""
    certificates = make_certificates(tmp_path_factory.mktemp("ca"))
    with PostgresServer() as server:
        home = ROOT / server.socket_dir.lstrip("/") / "data"
        for path in (certificates.key, certificates.server):
            shutil.copy(path, home / path.name)
            (home / path.name).chmod(0o600)
            run(["chown", "postgres", f"{server.socket_dir}/data/{path.name}"], cwd="/")
        server.psql(f"CREATE ROLE etl_loader_a LOGIN PASSWORD '{PASSWORD}'")
        server.psql("CREATE ROLE elsewhere LOGIN")
        server.psql("ALTER SYSTEM SET ssl = on")
        rules = "local all all trust\nhostssl all etl_loader_a 127.0.0.1/32 scram-sha-256\n"
        (home / "pg_hba.conf").write_text(rules)
        server.psql("SELECT pg_reload_conf()")
        while server.psql("SHOW ssl") != "on":
            time.sleep(0.05)
        yield Settings(
            "raw-bucket",
            server.host,
            "etl_loader_a",
            PASSWORD,
            port=server.port,
            database="postgres",
            sslrootcert=str(certificates.ca),
        )


def test_the_loader_verifies_the_server_and_takes_the_lock(secured: Settings) -> None:
    warehouse = Warehouse(secured)
    try:
        warehouse.lock()
    finally:
        warehouse.close()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"password": "wrong"}, "wrong_password"),
        ({"host": "localhost"}, "db_certificate"),  # not a name of the certificate
        ({"sslmode": "disable"}, "db_not_admitted"),
        ({"user": "elsewhere"}, "db_not_admitted"),
        ({"sslrootcert": "/nowhere/ca.crt"}, "db_ca_missing"),
        ({"sslrootcert": None}, "db_ca_missing"),
    ],
)
def test_refused_connections_are_permanent(
    secured: Settings, change: dict[str, str], code: str
) -> None:
    with pytest.raises(LoaderError) as caught:
        Warehouse(dataclasses.replace(secured, **change))  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.transient) == (code, False)
    assert PASSWORD not in str(caught.value)
    assert "wrong" not in str(caught.value)


def test_a_certificate_of_another_ca_does_not_verify(secured: Settings, tmp_path: Path) -> None:
    other = make_certificates(tmp_path)
    with pytest.raises(LoaderError) as caught:
        Warehouse(dataclasses.replace(secured, sslrootcert=str(other.ca)))
    assert caught.value.code == "db_certificate"
