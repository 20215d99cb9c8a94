"""The miniature's throwaway certificate authority, which only its own instances trust."""

from __future__ import annotations

import datetime
import os
import ssl
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local_aws.paths import State, write_atomically

_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_LIFETIME = datetime.timedelta(days=365)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _builder(
    subject: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject[:64])]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
    )


def create(state: State) -> None:
    """Make the authority unless the state has one; its key is readable by root alone."""
    if state.ca_certificate.exists() and state.ca_bundle.exists():
        return
    state.ca_certificate.parent.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = f"Throwaway authority {state.name}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _builder(subject, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = certificate.public_bytes(serialization.Encoding.PEM).decode()
    write_atomically(state.ca_key, _pem(key).decode(), mode=0o600)
    write_atomically(state.ca_certificate, text)
    own = next((Path(path).read_text() for path in _SYSTEM_BUNDLES if Path(path).exists()), "")
    write_atomically(state.ca_bundle, own.rstrip("\n") + "\n" + text)


def subject_hash(certificate: Path) -> str:
    """Return the hash that OpenSSL looks an authority up by in /etc/ssl/certs."""
    argv = ["openssl", "x509", "-noout", "-subject_hash", "-in", str(certificate)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


class Issuer:
    """Issue server certificates in the authority's name, kept for as long as this process."""

    def __init__(self, state: State) -> None:
        self._authority = x509.load_pem_x509_certificate(state.ca_certificate.read_bytes())
        key = serialization.load_pem_private_key(state.ca_key.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the authority's key is not the kind that create() makes")
        self._authority_key = key
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._contexts: dict[str, ssl.SSLContext] = {}

    def certificate(self, name: str) -> bytes:
        """Return a PEM chain for one DNS name."""
        identifier = self._authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)
        made = (
            _builder(name, self._authority.subject, self._key)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._authority_key, hashes.SHA256())
        )
        return made.public_bytes(serialization.Encoding.PEM)

    def context(self, name: str) -> ssl.SSLContext:
        """Return the server's TLS context for one DNS name."""
        if name not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            # The ssl module only loads files; this one never reaches a disk.
            descriptor = os.memfd_create("certificate")
            try:
                os.write(descriptor, _pem(self._key) + self.certificate(name))
                context.load_cert_chain(f"/proc/self/fd/{descriptor}")
            finally:
                os.close(descriptor)
            self._contexts[name] = context
        return self._contexts[name]
