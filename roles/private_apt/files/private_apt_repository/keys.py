"""OpenPGP keys: the one that signs the repository, and those that others' files are checked by."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from private_apt_repository.commands import run
from private_apt_repository.errors import RepositoryError

OWNER = "Private package repository"


@dataclasses.dataclass(frozen=True)
class SigningKey:
    """An ASCII-armoured private key; `public` and `fingerprint` are derived from it."""

    private: str = dataclasses.field(repr=False)
    public: str
    fingerprint: str

    @classmethod
    def generate(cls) -> SigningKey:
        """Make a new ed25519 key without a passphrase: it is kept where secrets are kept."""
        with _home() as home:
            argv = [*_gpg(home), "--passphrase", "", "--quick-generate-key", OWNER]
            run([*argv, "ed25519", "sign", "never"])
            return cls.parse(run([*_gpg(home), "--armor", "--export-secret-keys"]).decode())

    @classmethod
    def parse(cls, private: str) -> SigningKey:
        """Read an ASCII-armoured private key; raise RepositoryError when it is none."""
        with _home() as home:
            remedy = "the secret does not hold an OpenPGP private key; delete it to make a new one"
            run([*_gpg(home), "--import"], stdin=private.encode(), remedy=remedy)
            public = run([*_gpg(home), "--armor", "--export"]).decode()
            return cls(private, public, _fingerprints(home)[0])

    def sign(self, text: bytes) -> tuple[bytes, bytes]:
        """Return `text` signed in the clear, and its detached ASCII-armoured signature."""
        with _home() as home:
            run([*_gpg(home), "--import"], stdin=self.private.encode())
            argv = [*_gpg(home), "--digest-algo", "SHA512", "--armor"]
            return run([*argv, "--clearsign"], stdin=text), run(
                [*argv, "--detach-sign"], stdin=text
            )


def verify(file: Path, signature: Path, key: Path, fingerprint: str) -> None:
    """Raise RepositoryError unless `signature` of `file` is by the key with that fingerprint."""
    wanted = fingerprint.replace(" ", "").upper()
    with _home() as home:
        run([*_gpg(home), "--import", str(key)], remedy=f"{key} must be an OpenPGP public key")
        found = _fingerprints(home)
        if wanted not in found:
            raise RepositoryError(
                f"{key} holds the key {', '.join(found)}, not {wanted}",
                "get the vendor's key, or set private_apt_agent_fingerprint to the new one",
            )
        # Only this key may have signed, whatever else the file holds.
        for other in found:
            if other != wanted:
                run([*_gpg(home), "--yes", "--delete-keys", other])
        argv = [*_gpg(home), "--status-fd", "1", "--verify", str(signature), str(file)]
        remedy = "the file or its signature is damaged or not the vendor's: get both again"
        status = run(argv, remedy=remedy).decode()
        signed = [line.split()[-1] for line in status.splitlines() if " VALIDSIG " in line]
        if wanted not in signed:
            raise RepositoryError(f"{file} is not signed by {wanted}", remedy)


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    # A short path: the agent's socket in it must fit into 108 bytes.
    home = Path(tempfile.mkdtemp(prefix="gpg-"))
    try:
        yield home
    finally:
        subprocess.run(
            ["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True
        )
        shutil.rmtree(home, ignore_errors=True)


def _gpg(home: Path) -> list[str]:
    return ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback"]


def _fingerprints(home: Path) -> list[str]:
    """Return the fingerprints of the primary keys in a home."""
    found, primary = [], False
    for line in run([*_gpg(home), "--with-colons", "--list-keys"]).decode().splitlines():
        fields = line.split(":")
        if fields[0] == "pub":
            primary = True
        elif fields[0] == "fpr" and primary:
            found.append(fields[9])
            primary = False
    return found
