"""S3 buckets and their policies."""

# ruff: noqa: ARG002, D102 - every method is one of ResourceType and documented there
from __future__ import annotations

from typing import Any

from local_aws.control.cfn.provider import Context, Made, Properties, ResourceType, document


class Bucket(ResourceType):
    """An S3 bucket."""

    type = "AWS::S3::Bucket"
    known = (
        "BucketEncryption BucketName LifecycleConfiguration OwnershipControls "
        "PublicAccessBlockConfiguration Tags VersioningConfiguration"
    )
    replaced_by = "BucketName"

    def create(self, ctx: Context, props: Properties) -> Made:
        name = props.get("BucketName") or ctx.name(63).lower()
        ctx.client("s3").create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": ctx.region}
        )
        self._configure(ctx, name, {}, props)
        return self._made(ctx, name)

    def _made(self, ctx: Context, name: str) -> Made:
        return Made(
            name,
            {
                "Arn": f"arn:aws:s3:::{name}",
                "DomainName": f"{name}.s3.amazonaws.com",
                "RegionalDomainName": f"{name}.s3.{ctx.region}.amazonaws.com",
            },
        )

    def _configure(self, ctx: Context, name: str, old: Properties, new: Properties) -> None:
        s3 = ctx.client("s3")

        def moved(key: str) -> bool:
            return bool(old.get(key) != new.get(key))

        if moved("BucketEncryption"):
            self._encrypt(ctx, name, new.get("BucketEncryption"))
        if moved("PublicAccessBlockConfiguration"):
            block = new.get("PublicAccessBlockConfiguration")
            if block:
                ctx.call(
                    "s3",
                    "put_public_access_block",
                    Bucket=name,
                    PublicAccessBlockConfiguration=block,
                )
            else:
                s3.delete_public_access_block(Bucket=name)
        if moved("VersioningConfiguration"):
            status = (new.get("VersioningConfiguration") or {}).get("Status", "Suspended")
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": status})
        if moved("OwnershipControls") and new.get("OwnershipControls"):
            ctx.call(
                "s3",
                "put_bucket_ownership_controls",
                Bucket=name,
                OwnershipControls=new["OwnershipControls"],
            )
        if moved("LifecycleConfiguration"):
            rules = [
                _lifecycle(r) for r in (new.get("LifecycleConfiguration") or {}).get("Rules", [])
            ]
            if rules:
                ctx.call(
                    "s3",
                    "put_bucket_lifecycle_configuration",
                    Bucket=name,
                    LifecycleConfiguration={"Rules": rules},
                )
            else:
                s3.delete_bucket_lifecycle(Bucket=name)
        tags = ctx.tags(new)
        if tags:
            s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})

    def _encrypt(self, ctx: Context, name: str, wanted: Any) -> None:
        if not wanted:
            ctx.client("s3").delete_bucket_encryption(Bucket=name)
            return
        rules = []
        for rule in wanted["ServerSideEncryptionConfiguration"]:
            item = dict(rule)
            if "ServerSideEncryptionByDefault" in item:
                item["ApplyServerSideEncryptionByDefault"] = item.pop(
                    "ServerSideEncryptionByDefault"
                )
            rules.append(item)
        ctx.call(
            "s3",
            "put_bucket_encryption",
            Bucket=name,
            ServerSideEncryptionConfiguration={"Rules": rules},
        )

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        self._configure(ctx, physical_id, old, new)
        return self._made(ctx, physical_id)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("s3").delete_bucket(Bucket=physical_id)


def _lifecycle(rule: Properties) -> dict[str, Any]:
    """Return a template's lifecycle rule as the API names its parts."""
    result: dict[str, Any] = {
        "Status": rule["Status"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
    }
    names = {
        "Id": "ID",
        "AbortIncompleteMultipartUpload": "AbortIncompleteMultipartUpload",
        "NoncurrentVersionExpiration": "NoncurrentVersionExpiration",
    }
    extra = set(rule) - set(names) - {"Status", "Prefix", "ExpirationInDays", "Transitions"}
    if extra:
        result.update({key: rule[key] for key in extra})
    for key, api in names.items():
        if key in rule:
            result[api] = rule[key]
    if "ExpirationInDays" in rule:
        result["Expiration"] = {"Days": rule["ExpirationInDays"]}
    if "Transitions" in rule:
        result["Transitions"] = [
            {"Days": t["TransitionInDays"], "StorageClass": t["StorageClass"]}
            for t in rule["Transitions"]
        ]
    return result


class BucketPolicy(ResourceType):
    """A bucket's policy."""

    type = "AWS::S3::BucketPolicy"
    known = "Bucket PolicyDocument"
    replaced_by = "Bucket"

    def create(self, ctx: Context, props: Properties) -> Made:
        ctx.client("s3").put_bucket_policy(
            Bucket=props["Bucket"], Policy=document(props["PolicyDocument"])
        )
        return Made(props["Bucket"], {})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        return self.create(ctx, new)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("s3").delete_bucket_policy(Bucket=physical_id)
