"""Secrets Manager."""

# ruff: noqa: ARG002, D102 - every method is one of ResourceType and documented there
from __future__ import annotations

import json
from typing import Any

from local_aws.control.cfn.errors import ResourceError
from local_aws.control.cfn.provider import Context, Made, Properties, ResourceType, document, flag

_GENERATE = (
    "ExcludeCharacters ExcludeLowercase ExcludeNumbers ExcludePunctuation ExcludeUppercase "
    "IncludeSpace PasswordLength RequireEachIncludedType"
)


def generate(ctx: Context, wanted: dict[str, Any]) -> str:
    """Return a generated secret, inside its JSON template when there is one."""
    given = dict(wanted)
    template = given.pop("SecretStringTemplate", None)
    key = given.pop("GenerateStringKey", None)
    strangers = sorted(set(given) - set(_GENERATE.split()))
    if strangers:
        raise ResourceError(f"Encountered unsupported property GenerateSecretString.{strangers[0]}")
    password: str = ctx.call("secretsmanager", "get_random_password", **given)["RandomPassword"]
    if template is None:
        return password
    if not key:
        raise ResourceError("SecretStringTemplate needs GenerateStringKey")
    return json.dumps({**json.loads(template), key: password})


class Secret(ResourceType):
    """A secret, generated or given."""

    type = "AWS::SecretsManager::Secret"
    known = "Description GenerateSecretString KmsKeyId Name SecretString Tags"
    replaced_by = "Name"

    def create(self, ctx: Context, props: Properties) -> Made:
        arn = ctx.call(
            "secretsmanager",
            "create_secret",
            Name=props.get("Name") or ctx.name(),
            Description=props.get("Description"),
            KmsKeyId=props.get("KmsKeyId"),
            SecretString=self._value(ctx, props),
            Tags=ctx.tags(props) or None,
        )["ARN"]
        return Made(arn, {"Id": arn})

    def _value(self, ctx: Context, props: Properties) -> str:
        if "SecretString" in props:
            return str(props["SecretString"])
        return generate(ctx, props.get("GenerateSecretString") or {})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        names = ("SecretString", "GenerateSecretString")
        renewed = any(old.get(name) != new.get(name) for name in names)
        ctx.call(
            "secretsmanager",
            "update_secret",
            SecretId=physical_id,
            Description=new.get("Description"),
            KmsKeyId=new.get("KmsKeyId"),
            SecretString=self._value(ctx, new) if renewed else None,
        )
        if tags := ctx.tags(new):
            ctx.client("secretsmanager").tag_resource(SecretId=physical_id, Tags=tags)
        return Made(physical_id, {"Id": physical_id})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("secretsmanager").delete_secret(
            SecretId=physical_id, ForceDeleteWithoutRecovery=True
        )


class SecretPolicy(ResourceType):
    """A secret's resource policy."""

    type = "AWS::SecretsManager::ResourcePolicy"
    known = "BlockPublicPolicy ResourcePolicy SecretId"
    replaced_by = "SecretId"

    def create(self, ctx: Context, props: Properties) -> Made:
        ctx.client("secretsmanager").put_resource_policy(
            SecretId=props["SecretId"],
            ResourcePolicy=document(props["ResourcePolicy"]),
            BlockPublicPolicy=flag(props.get("BlockPublicPolicy", False)),
        )
        return Made(props["SecretId"], {"Id": props["SecretId"]})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        return self.create(ctx, new)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("secretsmanager").delete_resource_policy(SecretId=physical_id)
