"""The function's zip: the same bytes from the same files, and nothing that does not belong in it."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit import scripts

REPOSITORY = Path(__file__).resolve().parents[2]
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the script as a module, its wheels replaced by a small tree."""
    module = scripts.load(REPOSITORY / "playbooks/files/build_lambda_zip.py")
    tree = tmp_path / "wheels"
    for name, text in {
        "obstore/__init__.py": "x = 1\n",
        "obstore/_obstore.abi3.so": "ELF",
        "obstore/__pycache__/a.cpython-313.pyc": "no",
        "obstore-1.dist-info/METADATA": "Name: obstore\n",
        "obstore-1.dist-info/RECORD": "differs",
        "obstore-1.dist-info/INSTALLER": "pip",
        "bin/tool": "no",
    }.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(module, "wheels", lambda _cache, _architecture: tree)
    return module


def test_the_zip_holds_the_loader_its_wheels_and_the_ca(
    builder: ModuleType, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text(CERTIFICATE)
    made = builder.build(ca, tmp_path / "out", tmp_path)
    with zipfile.ZipFile(made["path"]) as archive:
        names = archive.namelist()
        assert archive.read("ca.crt").decode() == CERTIFICATE
    assert [name for name in names if not name.startswith("etl_lambda/")] == [
        "ca.crt",
        "obstore-1.dist-info/METADATA",
        "obstore/__init__.py",
        "obstore/_obstore.abi3.so",
    ]
    assert "etl_lambda/handler.py" in names
    assert [
        name for name in names if name.startswith("etl_lambda/") and not name.endswith(".py")
    ] == []


def test_the_name_is_the_sha256_of_the_bytes(builder: ModuleType, tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text(CERTIFICATE)
    made = builder.build(ca, tmp_path / "out", tmp_path)
    content = Path(made["path"]).read_bytes()
    assert Path(made["path"]).name == f"{hashlib.sha256(content).hexdigest()}.zip"


def test_the_same_files_give_the_same_bytes_whenever_and_wherever(
    builder: ModuleType, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text(CERTIFICATE)
    first = builder.build(ca, tmp_path / "one", tmp_path)
    for path in (tmp_path / "wheels").rglob("*"):
        path.chmod(0o700)
    second = builder.build(ca, tmp_path / "two", tmp_path)
    assert first["sha256"] == second["sha256"]
    assert Path(first["path"]).read_bytes() == Path(second["path"]).read_bytes()


def test_a_second_build_finds_the_first_one(builder: ModuleType, tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text(CERTIFICATE)
    first = builder.build(ca, tmp_path / "out", tmp_path)
    second = builder.build(ca, tmp_path / "out", tmp_path)
    assert (first["built"], second["built"]) == (True, False)
    assert first["path"] == second["path"]


def test_another_ca_makes_another_zip(builder: ModuleType, tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text(CERTIFICATE)
    first = builder.build(ca, tmp_path / "out", tmp_path)
    ca.write_text(CERTIFICATE.replace("MIIB", "MIIC"))
    assert builder.build(ca, tmp_path / "out", tmp_path)["sha256"] != first["sha256"]


@pytest.mark.parametrize(
    "text", ["", CERTIFICATE + "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"]
)
def test_anything_but_a_certificate_is_refused(
    builder: ModuleType, tmp_path: Path, text: str
) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text(text)
    with pytest.raises(SystemExit, match="is not a certificate alone"):
        builder.build(ca, tmp_path / "out", tmp_path)


def test_the_lock_pins_each_wheel_by_one_hash_and_names_no_address() -> None:
    lock = (REPOSITORY / "etl_lambda/requirements.lock").read_text()
    pinned = re.findall(r"^([a-z0-9-]+)==[0-9.]+ \\\n    --hash=sha256:[0-9a-f]{64}$", lock, re.M)
    assert pinned == ["msgspec", "obstore", "psycopg2-binary"]
    assert "://" not in lock
    assert lock.count("--hash") == 3


def test_a_processor_that_is_not_locked_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = scripts.load(REPOSITORY / "playbooks/files/build_lambda_zip.py")
    monkeypatch.setattr(module, "pip", lambda *_: pytest.fail("pip was asked"))
    monkeypatch.setattr(module, "locked_for", lambda: ["x86_64"])
    with pytest.raises(SystemExit, match=r"no wheels for arm64: run `build_lambda_zip\.py lock`"):
        module.wheels(tmp_path, "arm64")


def test_the_lock_names_its_processors_and_keeps_a_hash_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = scripts.load(REPOSITORY / "playbooks/files/build_lambda_zip.py")
    lock = tmp_path / "requirements.lock"
    lock.write_text("# head\n# Processors: x86_64\nold==1\n")
    monkeypatch.setattr(module, "LOCK", lock)

    def pip(*arguments: str) -> None:
        (place,) = [one.removeprefix("--dest=") for one in arguments if one.startswith("--dest=")]
        machine = "aarch64" if "--platform=manylinux2014_aarch64" in arguments else "x86_64"
        (Path(place) / f"some_name-1.2-{machine}.whl").write_text(machine)

    monkeypatch.setattr(module, "pip", pip)
    module.lock()
    digests = sorted(hashlib.sha256(one.encode()).hexdigest() for one in ("x86_64", "aarch64"))
    assert lock.read_text() == (
        "# head\n# Processors: x86_64, arm64\nsome-name==1.2 \\\n"
        f"    --hash=sha256:{digests[0]} \\\n    --hash=sha256:{digests[1]}\n"
    )
    assert module.locked_for() == ["x86_64", "arm64"]
