"""The promises of the buckets: private, encrypted, TLS only, and transfers that do not stay."""

from __future__ import annotations

from tests.template.templates import resources, statement

BUCKETS = ("RawBucket", "ArtifactBucket", "TransferBucket", "BackupBucket")


def test_every_bucket_is_private_and_encrypted() -> None:
    buckets = resources("storage", "AWS::S3::Bucket")
    assert tuple(buckets) == BUCKETS
    for value in buckets.values():
        assert value["Properties"]["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }
        rules = value["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert [rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] for rule in rules] == [
            "AES256"
        ]


def test_transfers_are_gone_after_a_day_and_never_versioned() -> None:
    transfer = resources("storage")["TransferBucket"]["Properties"]
    (rule,) = transfer["LifecycleConfiguration"]["Rules"]
    assert (rule["Status"], rule["ExpirationInDays"]) == ("Enabled", 1)
    assert "Prefix" not in rule
    assert "VersioningConfiguration" not in transfer


def test_raw_events_outlive_the_stack_that_made_their_bucket() -> None:
    raw = resources("storage")["RawBucket"]
    assert (raw["DeletionPolicy"], raw["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert raw["Condition"] == "MakesRawBucket"


def test_receipts_outlive_the_stack_and_what_overwrites_them() -> None:
    backup = resources("storage")["BackupBucket"]
    assert (backup["DeletionPolicy"], backup["UpdateReplacePolicy"]) == ("Retain", "Retain")
    assert backup["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    policy = resources("storage")["BackupBucketPolicy"]
    assert (policy["DeletionPolicy"], policy["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_bucket_policies_refuse_what_comes_without_tls() -> None:
    policies = resources("storage", "AWS::S3::BucketPolicy")
    assert {value["Properties"]["Bucket"]["Ref"] for value in policies.values()} == {
        "RawBucket",
        "TransferBucket",
        "BackupBucket",
    }
    for value in policies.values():
        document = value["Properties"]["PolicyDocument"]
        assert [item["Sid"] for item in document["Statement"]] == ["TlsOnly"]
        refusing = statement(document, "TlsOnly")
        assert (refusing["Effect"], refusing["Action"]) == ("Deny", "s3:*")
        assert refusing["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
