"""Receipts of erasures on their way to the backup bucket and back."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from tests.toolbox import REPOSITORY
from tests.unit import scripts
from tests.unit.control_server import RunningPlane


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return scripts.load(REPOSITORY / "playbooks/files/erasure_receipts.py")


def receipt(number: str, at: str) -> str:
    return json.dumps({"receipt_id": number, "erased_at": at, "objects": [{"key": "à\u2028b"}]})


def test_what_is_put_comes_back_oldest_first_and_once(
    script: ModuleType, plane: RunningPlane, tmp_path: Path
) -> None:
    s3 = plane.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(
        Bucket="receipts", CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"}
    )
    older, newer = receipt("b", "2026-01-01T00:00:00Z"), receipt("a", "2026-01-02T00:00:00Z")
    file = tmp_path / "receipts"
    file.write_text(f"{newer}\n{older}\n")
    assert script.put(s3, "receipts", file) == ["a", "b"]
    assert script.put(s3, "receipts", file) == ["a", "b"]
    assert script.get(s3, "receipts", file) == 2
    assert file.read_text() == f"{older}\n{newer}\n"


def test_no_receipts_are_none(script: ModuleType, plane: RunningPlane, tmp_path: Path) -> None:
    s3 = plane.client("s3", s3={"addressing_style": "path"})
    s3.create_bucket(
        Bucket="none", CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"}
    )
    file = tmp_path / "receipts"
    file.write_text("")
    assert script.put(s3, "none", file) == []
    assert script.get(s3, "none", file) == 0
    assert file.read_text() == ""
