"""Taking erased events out of the raw bucket, against S3 of the miniature."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from etl_lambda.mapping import Facts, map_object
from etl_lambda.settings import Limits
from tests.toolbox import REPOSITORY
from tests.unit import scripts

KEPT = "11111111-1111-4111-8111-111111111111"
ERASED = "22222222-2222-4222-8222-222222222222"


def event(event_id: str) -> bytes:
    return json.dumps({"eventId": event_id, "eventName": "click", "clientId": "c"}).encode()


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return scripts.load(REPOSITORY / "playbooks/files/clean_objects.py")


def version(s3: Any, bucket: str, status: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def bodies(s3: Any, bucket: str) -> list[bytes]:
    """Return every version's body, the newest first."""
    listed = s3.list_object_versions(Bucket=bucket).get("Versions", [])
    return [
        s3.get_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])["Body"].read()
        for item in listed
    ]


def listed(key: str, *event_ids: str, samples: tuple[bytes, ...] = ()) -> dict[str, Any]:
    return {
        "object_ids": [7],
        "object_key": key,
        "event_ids": list(event_ids),
        "sample_hashes": [hashlib.sha256(sample).hexdigest() for sample in samples],
    }


def attempt(
    script: ModuleType, s3: Any, bucket: str, item: dict[str, Any], **settings: Any
) -> tuple[str, str | None]:
    environment = settings.pop("environment", {})
    outcome, reason = script.attempt(
        script.Cleaner(s3, bucket, Limits(), **settings), item, environment
    )
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
        Bucket=bucket,
        Key="k",
        Body=body,
        ContentType="application/x-ndjson",
        Metadata={"by": "us"},
    )
    assert attempt(script, s3, bucket, listed("k", ERASED)) == ("rewritten", None)
    found = s3.get_object(Bucket=bucket, Key="k")
    assert found["Body"].read() == event(KEPT)
    assert (found["ContentType"], found["Metadata"]) == ("application/x-ndjson", {"by": "us"})


def test_it_keeps_its_tags_storage_class_and_key(script: ModuleType) -> None:
    # The miniature's S3 has none of them.
    kept = {"StorageClass": "STANDARD_IA", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "k"}
    body = event(KEPT) + b"\n" + event(ERASED)
    s3 = boto3.client(
        "s3", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(s3) as stub:
        stub.add_response("get_bucket_versioning", {})
        found = {
            "Body": io.BytesIO(body),
            "ContentLength": len(body),
            "ETag": '"e"',
            "TagCount": 1,
            **kept,
        }
        stub.add_response("get_object", {**found, "LastModified": datetime.now(UTC)})
        stub.add_response("get_object_tagging", {"TagSet": [{"Key": "shop", "Value": "a&b"}]})
        kept["Tagging"] = "shop=a%26b"
        stub.add_response(
            "put_object",
            {},
            {"Bucket": "b", "Key": "k", "Body": event(KEPT), "IfMatch": '"e"', **kept},
        )
        assert attempt(script, s3, "b", listed("k", ERASED)) == ("rewritten", None)
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("body", "outcome"),
    [(None, "absent"), (event(KEPT), "nothing_found")],
    ids=["gone", "clean"],
)
@pytest.mark.parametrize("versions", [True, False])
def test_one_that_is_gone_or_holds_nothing_is_clean(
    script: ModuleType, s3: Any, bucket: str, versions: bool, body: bytes | None, outcome: str
) -> None:
    if versions:
        version(s3, bucket, "Enabled")
    if body is not None:
        s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert attempt(script, s3, bucket, listed("k", ERASED)) == (outcome, None)


def test_older_versions_of_a_clean_one_go_and_it_stays(
    script: ModuleType, s3: Any, bucket: str
) -> None:
    version(s3, bucket, "Enabled")
    for body in (event(ERASED), event(KEPT)):
        s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert attempt(script, s3, bucket, listed("k", ERASED)) == ("older_deleted", None)
    assert bodies(s3, bucket) == [event(KEPT)]


def test_versions_under_a_delete_marker_go_as_well(
    script: ModuleType, s3: Any, bucket: str
) -> None:
    version(s3, bucket, "Enabled")
    s3.put_object(Bucket=bucket, Key="k", Body=event(ERASED))
    s3.delete_object(Bucket=bucket, Key="k")
    assert attempt(script, s3, bucket, listed("k", ERASED)) == ("deleted", None)
    assert bodies(s3, bucket) == []


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


def test_but_not_one_whose_records_are_only_equal(script: ModuleType, s3: Any, bucket: str) -> None:
    body = b'{"eventName":"a"}\n{"eventName":"a"}\n'
    made = s3.put_object(Bucket=bucket, Key="k", Body=body)
    facts = Facts(bucket, "k", s3.head_object(Bucket=bucket, Key="k")["LastModified"])
    first = map_object(body, facts).rows[0].event_id
    outcome = attempt(script, s3, bucket, listed("k", first), delete_unreadable=True)
    assert outcome == ("failed", "not_the_same_again")
    assert s3.head_object(Bucket=bucket, Key="k")["ETag"] == made["ETag"]


def test_a_quarantined_record_goes_by_its_sample(script: ModuleType, s3: Any, bucket: str) -> None:
    bad = b'{"clientId": "gone"'
    s3.put_object(Bucket=bucket, Key="k", Body=event(KEPT) + b"\n" + bad + b"\n")
    assert attempt(script, s3, bucket, listed("k", samples=(bad,))) == ("rewritten", None)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == event(KEPT)


def test_an_event_that_was_never_stored_goes_by_the_id_where_that_is_known(
    script: ModuleType, s3: Any, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=event(KEPT))
    environment = {"SBW_ERASE_CLIENT_ID": "c", "SBW_ERASE_USER_ID": ""}
    assert attempt(script, s3, bucket, listed("k"), environment=environment) == ("deleted", None)


def test_an_object_that_was_put_anew_meanwhile_stays(
    script: ModuleType, s3: Any, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=event(ERASED))
    cleaner = script.Cleaner(s3, bucket, Limits())
    redacted = cleaner._redacted

    def meanwhile(*arguments: Any) -> Any:
        s3.put_object(Bucket=bucket, Key="k", Body=event(KEPT))
        return redacted(*arguments)

    cleaner._redacted = meanwhile
    assert script.attempt(cleaner, listed("k", ERASED), {}) == ("failed", "PreconditionFailed")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == event(KEPT)


def test_what_nobody_expected_fails_for_one_object_alone(script: ModuleType) -> None:
    class Broken:
        def clean(self, *_: object) -> str:
            raise OSError

    assert script.attempt(Broken(), listed("k"), {}) == ("failed", "OSError")


def test_the_report_names_what_failed_and_says_what_is_gone(script: ModuleType) -> None:
    outcomes = ("deleted", "rewritten", "nothing_found", "absent", "older_deleted")
    objects = [{**listed("a"), "object_ids": [number, number + 10]} for number in range(5)]
    objects.append({**listed("b"), "object_ids": [8]})
    results = [*((outcome, None) for outcome in outcomes), ("failed", "broken_array")]
    assert script.report(objects, results) == {
        "deleted": 2,
        "rewritten": 1,
        "nothing_found": 2,
        "cleaned": [0, 1, 2, 3, 4, 10, 11, 12, 13, 14],
        "gone": [0, 3, 10, 13],
        "failed": [{"key": "b", "reason": "broken_array"}],
    }
