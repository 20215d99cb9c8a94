"""Taking erased events out of the raw bucket, against S3 of the miniature."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from tests.toolbox import REPOSITORY
from tests.unit.control_server import RunningPlane, running_plane

KEPT = "11111111-1111-4111-8111-111111111111"
ERASED = "22222222-2222-4222-8222-222222222222"


def event(event_id: str) -> bytes:
    return json.dumps({"eventId": event_id, "eventName": "click", "clientId": "c"}).encode()


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = REPOSITORY / "playbooks/files/clean_objects.py"
    spec = importlib.util.spec_from_file_location("clean_objects", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlane]:
    with running_plane(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture
def s3(plane: RunningPlane) -> Any:
    return plane.client("s3", s3={"addressing_style": "path"})


@pytest.fixture
def bucket(s3: Any, request: pytest.FixtureRequest) -> str:
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
    s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"}
    )
    return str(name)


def version(s3: Any, bucket: str, status: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def bodies(s3: Any, bucket: str) -> list[bytes]:
    """Return every version's body, the newest first."""
    listed = s3.list_object_versions(Bucket=bucket).get("Versions", [])
    return [
        s3.get_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])["Body"].read()
        for item in listed
    ]


def listed(key: str, *event_ids: str, has_rejects: bool = False) -> dict[str, Any]:
    return {
        "object_id": 7,
        "object_key": key,
        "event_ids": list(event_ids),
        "has_rejects": has_rejects,
    }


def attempt(
    script: ModuleType, s3: Any, bucket: str, item: dict[str, Any], **settings: Any
) -> tuple[str, str | None]:
    environment = settings.pop("environment", {})
    outcome, reason = script.attempt(script.Cleaner(s3, bucket, **settings), item, environment)
    return str(outcome), reason


def test_an_object_of_erased_events_alone_is_deleted(
    script: ModuleType, s3: Any, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=event(ERASED))
    assert attempt(script, s3, bucket, listed("k", ERASED)) == ("deleted", None)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_an_object_with_other_events_is_rewritten_as_what_it_was(
    script: ModuleType, s3: Any, bucket: str
) -> None:
    body = event(KEPT) + b"\n" + event(ERASED) + b"\n"
    s3.put_object(
        Bucket=bucket, Key="k", Body=body, ContentType="application/x-ndjson", Metadata={"by": "us"}
    )
    assert attempt(script, s3, bucket, listed("k", ERASED)) == ("rewritten", None)
    found = s3.get_object(Bucket=bucket, Key="k")
    assert found["Body"].read() == event(KEPT)
    assert (found["ContentType"], found["Metadata"]) == ("application/x-ndjson", {"by": "us"})


@pytest.mark.parametrize("body", [None, event(KEPT)], ids=["gone", "clean"])
def test_one_that_is_gone_or_holds_nothing_is_clean(
    script: ModuleType, s3: Any, bucket: str, body: bytes | None
) -> None:
    if body is not None:
        s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert attempt(script, s3, bucket, listed("k", ERASED)) == ("nothing_found", None)


def test_older_versions_go_as_well_and_none_comes_to_light(
    script: ModuleType, s3: Any, bucket: str
) -> None:
    version(s3, bucket, "Enabled")
    for body in (event(ERASED), event(KEPT), event(KEPT) + b"\n" + event(ERASED), event(ERASED)):
        s3.put_object(Bucket=bucket, Key="k", Body=body)
    s3.put_object(Bucket=bucket, Key="k2", Body=event(ERASED))
    assert attempt(script, s3, bucket, listed("k", ERASED)) == ("deleted", None)
    assert bodies(s3, bucket) == [event(KEPT), event(ERASED)]  # the last one is k2's
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k2"]


def test_a_rewritten_object_leaves_no_version_behind(
    script: ModuleType, s3: Any, bucket: str
) -> None:
    version(s3, bucket, "Enabled")
    s3.put_object(Bucket=bucket, Key="k", Body=event(KEPT) + b"\n" + event(ERASED))
    assert attempt(script, s3, bucket, listed("k", ERASED)) == ("rewritten", None)
    assert bodies(s3, bucket) == [event(KEPT)]


def test_while_versions_are_suspended_what_is_written_back_stays(
    script: ModuleType, s3: Any, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=event(KEPT) + b"\n" + event(ERASED))
    version(s3, bucket, "Suspended")
    assert attempt(script, s3, bucket, listed("k", ERASED)) == ("rewritten", None)
    assert bodies(s3, bucket) == [event(KEPT)]


def test_what_cannot_be_taken_apart_stays_and_is_said(
    script: ModuleType, s3: Any, bucket: str
) -> None:
    body = b"[" + event(ERASED)
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert attempt(script, s3, bucket, listed("k", ERASED)) == ("failed", "broken_array")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


def test_unless_it_may_be_deleted(script: ModuleType, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"[" + event(ERASED))
    outcome = attempt(script, s3, bucket, listed("k", ERASED), delete_unreadable=True)
    assert outcome == ("deleted", None)


def test_a_quarantined_record_goes_by_the_id_it_names(
    script: ModuleType, s3: Any, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=event(KEPT) + b'\n{"clientId": "gone"\n')
    item = listed("k", has_rejects=True)
    environment = {"SBW_ERASE_CLIENT_ID": "gone", "SBW_ERASE_USER_ID": ""}
    assert attempt(script, s3, bucket, item, environment=environment) == ("rewritten", None)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == event(KEPT)


def test_and_stays_when_that_id_is_not_given(script: ModuleType, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b'{"clientId": "gone"\n')
    assert attempt(script, s3, bucket, listed("k", has_rejects=True)) == (
        "failed",
        "quarantined_record_of_an_id_not_given",
    )


def test_the_report_names_what_failed(script: ModuleType) -> None:
    objects = [listed("a"), {**listed("b"), "object_id": 8}]
    results = [("deleted", None), ("failed", "broken_array")]
    assert script.report(objects, results) == {
        "deleted": 1,
        "rewritten": 0,
        "nothing_found": 0,
        "cleaned": [7],
        "failed": [{"key": "b", "reason": "broken_array"}],
    }
