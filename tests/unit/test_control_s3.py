"""S3 of the miniature, as apt, obstore, boto3, curl and Ansible speak to it."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import obstore
import pytest
from botocore.exceptions import ClientError
from obstore.store import S3Store

from tests.unit.control_server import RunningPlane

VIRTUAL_HOST = "{}.s3.ap-southeast-1.amazonaws.com"


def plain(
    port: int, method: str, path: str, host: str = "", body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Send one request as it stands, with nothing encoded, decoded or signed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    given = {"Host": host} if host else {}
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    connection.request(method, path, body or None, given)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, content


def allow_reads(s3: Any, bucket: str, prefix: str = "") -> None:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/{prefix}*",
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [statement]}))


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        ("pool/libstdc++6_14-1_amd64.deb", "pool/libstdc%2b%2b6_14-1_amd64.deb"),
        ("pool/base~rc1.deb", "pool/base%7erc1.deb"),
        ("pool/libstdc++6.deb", "pool/libstdc++6.deb"),
        ("pool/1:2.3.deb", "pool/1:2.3.deb"),
        ("pool/50%.deb", "pool/50%25.deb"),
    ],
)
def test_key_is_found_as_apt_asks_for_it(
    plane: RunningPlane, s3: Any, key: str, asked: str
) -> None:
    bucket = "asked-by-apt"
    s3.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"}
    ) if bucket not in [b["Name"] for b in s3.list_buckets()["Buckets"]] else None
    s3.put_object(Bucket=bucket, Key=key, Body=b"package")
    allow_reads(s3, bucket)
    status, _, body = plain(plane.port, "GET", f"/{asked}", VIRTUAL_HOST.format(bucket))
    assert (status, body) == (200, b"package")


def test_double_slash_is_part_of_the_key(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="i-1//root/.ansible/x", Body=b"one")
    s3.put_object(Bucket=bucket, Key="i-1/root/.ansible/x", Body=b"two")
    assert s3.get_object(Bucket=bucket, Key="i-1//root/.ansible/x")["Body"].read() == b"one"
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["i-1//root/.ansible/x", "i-1/root/.ansible/x"]


def test_head_of_a_bucket_names_its_region(s3: Any, bucket: str) -> None:
    headers = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-bucket-region"] == "ap-southeast-1"


def test_head_of_a_missing_bucket_is_404(s3: Any) -> None:
    with pytest.raises(ClientError) as caught:
        s3.head_bucket(Bucket="not-here")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_missing_key_is_no_such_key(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="none")


def test_presigned_address_reads_and_writes(plane: RunningPlane, s3: Any, bucket: str) -> None:
    put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "a b//c"})
    parts = urlsplit(put)
    status, _, _ = plain(plane.port, "PUT", f"{parts.path}?{parts.query}", body=b"by curl")
    assert status == 200
    parts = urlsplit(s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a b//c"}))
    status, _, body = plain(plane.port, "GET", f"{parts.path}?{parts.query}")
    assert (status, body) == (200, b"by curl")


def test_expired_presigned_address_is_refused(plane: RunningPlane, bucket: str) -> None:
    s3 = plane.client("s3", s3={"addressing_style": "path"}, signature_version="s3v4")
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=-5)
    parts = urlsplit(url)
    status, _, body = plain(plane.port, "GET", f"{parts.path}?{parts.query}")
    assert status == 403
    assert b"Request has expired" in body


def test_curls_upload_waits_for_the_go_ahead(plane: RunningPlane, s3: Any, bucket: str) -> None:
    with socket.create_connection(("127.0.0.1", plane.port), 10) as link:
        head = (
            f"PUT /{bucket}/late HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
            "Authorization: AWS4-HMAC-SHA256 Credential=A/20260101/ap-southeast-1/s3/aws4_request,"
            " SignedHeaders=host, Signature=0\r\nExpect: 100-continue\r\n\r\n"
        )
        link.sendall(head.encode())
        assert link.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        link.sendall(b"body")
        assert link.recv(100).startswith(b"HTTP/1.1 200 OK")
    assert s3.get_object(Bucket=bucket, Key="late")["Body"].read() == b"body"


def test_unsigned_read_without_a_policy_is_denied(
    plane: RunningPlane, s3: Any, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    status, _, body = plain(plane.port, "GET", f"/{bucket}/k")
    assert status == 403
    assert b"<Code>AccessDenied</Code>" in body


def test_policy_opens_its_prefix_alone(plane: RunningPlane, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="apt/k", Body=b"v")
    s3.put_object(Bucket=bucket, Key="lambda/k", Body=b"v")
    allow_reads(s3, bucket, "apt/")
    assert plain(plane.port, "GET", f"/{bucket}/apt/k")[0] == 200
    assert plain(plane.port, "GET", f"/{bucket}/lambda/k")[0] == 403


def test_denial_holds_for_the_accounts_own_signature(s3: Any, bucket: str) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [statement]}))
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"v")


def test_insecure_transport_denial_does_not_hit_the_miniature(s3: Any, bucket: str) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [statement]}))
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"
    # What moto answers itself, too: it leaves conditions out.
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


def test_door_and_bucket_must_both_allow(plane: RunningPlane, s3: Any, bucket: str) -> None:
    ec2 = plane.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    only_apt = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{bucket}/apt/*",
            }
        ]
    }
    door = ec2.create_vpc_endpoint(
        VpcId=vpc,
        ServiceName="com.amazonaws.ap-southeast-1.s3",
        PolicyDocument=json.dumps(only_apt),
    )["VpcEndpoint"]["VpcEndpointId"]
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringEquals": {"aws:SourceVpce": door}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [statement]}))
    for key in ("apt/k", "other/k"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"v")
    assert plain(plane.inside_port, "GET", f"/{bucket}/apt/k")[0] == 200
    assert plain(plane.inside_port, "GET", f"/{bucket}/other/k")[0] == 403
    assert plain(plane.port, "GET", f"/{bucket}/apt/k")[0] == 403
    ec2.delete_vpc_endpoints(VpcEndpointIds=[door])


def test_range_gives_its_bytes(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    found = s3.get_object(Bucket=bucket, Key="k", Range="bytes=2-4")
    assert (found["Body"].read(), found["ContentRange"]) == (b"234", "bytes 2-4/10")
    assert s3.get_object(Bucket=bucket, Key="k", Range="bytes=-3")["Body"].read() == b"789"
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=10-")


def test_head_tells_the_length_without_the_body(s3: Any, bucket: str) -> None:
    s3.put_object(
        Bucket=bucket, Key="k", Body=b"0123456789", ContentType="text/x", Metadata={"a": "b"}
    )
    found = s3.head_object(Bucket=bucket, Key="k")
    assert (found["ContentLength"], found["ContentType"], found["Metadata"]) == (
        10,
        "text/x",
        {"a": "b"},
    )
    assert found["ETag"] == '"781e5e245d69b566979b86e28d23f2c7"'


def test_listing_pages_and_folds_prefixes(s3: Any, bucket: str) -> None:
    for key in ("a/1", "a/2", "b", "c/1", "c/2", "d"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"v")
    first = s3.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=2)
    assert [item["Key"] for item in first["Contents"]] == ["b"]
    assert [item["Prefix"] for item in first["CommonPrefixes"]] == ["a/"]
    second = s3.list_objects_v2(
        Bucket=bucket, Delimiter="/", MaxKeys=2, ContinuationToken=first["NextContinuationToken"]
    )
    assert [item["Key"] for item in second["Contents"]] == ["d"]
    assert [item["Prefix"] for item in second["CommonPrefixes"]] == ["c/"]
    assert second["IsTruncated"] is False


def test_listing_starts_after_a_key(s3: Any, bucket: str) -> None:
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"v")
    s3.delete_object(Bucket=bucket, Key="b")
    found = s3.list_objects_v2(Bucket=bucket, StartAfter="a")
    assert [item["Key"] for item in found["Contents"]] == ["c"]


def test_upload_in_parts_is_joined(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big")["UploadId"]
    parts = []
    for number, body in ((1, b"x" * 5_242_880), (2, b"end")):
        made = s3.upload_part(
            Bucket=bucket, Key="big", UploadId=upload, PartNumber=number, Body=body
        )
        parts.append({"PartNumber": number, "ETag": made["ETag"]})
    s3.complete_multipart_upload(
        Bucket=bucket, Key="big", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    found = s3.get_object(Bucket=bucket, Key="big")
    assert found["ContentLength"] == 5_242_883
    assert found["ETag"].endswith('-2"')
    assert found["Body"].read()[-4:] == b"xend"


def test_copy_and_deletion_of_many(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="one +", Body=b"v")
    s3.copy_object(Bucket=bucket, Key="two", CopySource={"Bucket": bucket, "Key": "one +"})
    assert s3.get_object(Bucket=bucket, Key="two")["Body"].read() == b"v"
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "one +"}, {"Key": "two"}]})
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_second_conditional_put_is_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")


def test_a_delete_of_another_etag_than_is_there_is_refused(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"2")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_a_put_on_another_etag_than_is_there_is_refused(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=etag)
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.put_object(Bucket=bucket, Key="none", Body=b"1", IfMatch=etag)


def test_broken_checksum_is_refused(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"v", ChecksumCRC32="AAAAAA==")


def test_chunked_coding_of_an_sdk_is_taken_off(plane: RunningPlane, s3: Any, bucket: str) -> None:
    coded = b"4\r\nbody\r\n0\r\nx-amz-checksum-crc32:26gLsg==\r\n\r\n"
    status, _, answer = plain(
        plane.port,
        "PUT",
        f"/{bucket}/coded",
        body=coded,
        Authorization="AWS4-HMAC-SHA256 Credential=A/20260101/ap-southeast-1/s3/aws4_request, x",
        Content_Encoding="aws-chunked",
        X_Amz_Content_Sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        X_Amz_Decoded_Content_Length="4",
    )
    assert status == 200, answer
    found = s3.get_object(Bucket=bucket, Key="coded")
    assert found["Body"].read() == b"body"
    assert "ContentEncoding" not in found


def test_obstore_reads_what_boto_wrote(plane: RunningPlane, s3: Any, bucket: str) -> None:
    keys = [f"events/2026/01/01/{n:03d}.json" for n in range(50)]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    store = S3Store(
        bucket,
        endpoint=f"http://127.0.0.1:{plane.port}",
        region="ap-southeast-1",
        access_key_id="AKIAIOSFODNN7EXAMPLE",
        secret_access_key="secret",
        client_options={"allow_http": True},
    )

    async def read_all() -> list[bytes]:
        async def read(key: str) -> bytes:
            return bytes(await (await obstore.get_async(store, key)).bytes_async())

        return list(await asyncio.gather(*(read(key) for key in keys)))

    assert asyncio.run(read_all()) == [key.encode() for key in keys]
    listed = [meta["path"] for page in obstore.list(store, "events/") for meta in page]
    assert sorted(listed) == keys


def test_function_takes_its_code_from_an_object(plane: RunningPlane, s3: Any, bucket: str) -> None:
    iam = plane.client("iam")
    role = iam.create_role(RoleName="code-role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    s3.put_object(Bucket=bucket, Key="lambda/f.zip", Body=b"PK\x05\x06" + bytes(18))
    made = plane.client("lambda").create_function(
        FunctionName="from-object",
        Role=role,
        Runtime="python3.13",
        Handler="f.handler",
        Code={"S3Bucket": bucket, "S3Key": "lambda/f.zip"},
    )
    assert made["CodeSize"] == 22


def test_settings_of_a_bucket_are_kept(s3: Any, bucket: str) -> None:
    s3.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "day",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "Expiration": {"Days": 1},
                }
            ]
        },
    )
    [rule] = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rule["Expiration"] == {"Days": 1}


def test_list_of_buckets_needs_a_signature(plane: RunningPlane) -> None:
    assert plain(plane.port, "GET", "/")[0] == 403
