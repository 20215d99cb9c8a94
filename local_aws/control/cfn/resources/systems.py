"""Systems Manager: documents and parameters."""

# ruff: noqa: ARG002, D102 - every method is one of ResourceType and documented there
from __future__ import annotations

import json

from local_aws.control.cfn.provider import Context, Made, Properties, ResourceType


class Document(ResourceType):
    """A document, a session document too."""

    type = "AWS::SSM::Document"
    known = "Content DocumentFormat DocumentType Name Tags TargetType UpdateMethod VersionName"
    replaced_by = "DocumentFormat DocumentType Name"

    def must_replace(self, old: Properties, new: Properties) -> list[str]:
        """Replace on any change unless the template asks for new versions."""
        if new.get("UpdateMethod", "Replace") == "Replace":
            return [n for n in {*old, *new} if n != "Tags" and old.get(n) != new.get(n)]
        return super().must_replace(old, new)

    def create(self, ctx: Context, props: Properties) -> Made:
        name = props.get("Name") or ctx.name(128)
        ctx.call(
            "ssm",
            "create_document",
            Name=name,
            Content=_content(props["Content"]),
            DocumentFormat=props.get("DocumentFormat", "JSON"),
            DocumentType=props.get("DocumentType", "Command"),
            TargetType=props.get("TargetType"),
            VersionName=props.get("VersionName"),
            Tags=ctx.tags(props) or None,
        )
        return Made(name, {})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        if old["Content"] != new["Content"]:
            version = ctx.call(
                "ssm",
                "update_document",
                Name=physical_id,
                Content=_content(new["Content"]),
                DocumentFormat=new.get("DocumentFormat", "JSON"),
                DocumentVersion="$LATEST",
            )["DocumentDescription"]["DocumentVersion"]
            ctx.client("ssm").update_document_default_version(
                Name=physical_id, DocumentVersion=version
            )
        return Made(physical_id, {})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("ssm").delete_document(Name=physical_id)


def _content(content: object) -> str:
    return content if isinstance(content, str) else json.dumps(content)


class Parameter(ResourceType):
    """A parameter that is no SecureString, which CloudFormation cannot make."""

    type = "AWS::SSM::Parameter"
    known = "AllowedPattern DataType Description Name Tags Tier Type Value"
    replaced_by = "Name"

    def create(self, ctx: Context, props: Properties) -> Made:
        return self._put(ctx, props.get("Name") or ctx.name(128), props, new=True)

    def _put(self, ctx: Context, name: str, props: Properties, new: bool) -> Made:
        given = {key: value for key, value in props.items() if key not in ("Tags", "Name")}
        tags = [{"Key": key, "Value": value} for key, value in (props.get("Tags") or {}).items()]
        ctx.call(
            "ssm",
            "put_parameter",
            Name=name,
            Overwrite=not new,
            **given,
            Tags=tags if new else None,
        )
        return Made(name, {"Type": props["Type"], "Value": props["Value"]})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        return self._put(ctx, physical_id, new, new=False)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("ssm").delete_parameter(Name=physical_id)
