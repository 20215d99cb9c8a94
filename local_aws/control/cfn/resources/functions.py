"""Lambda functions and the rules that fire them."""

# ruff: noqa: ARG002, D102 - every method is one of ResourceType and documented there
from __future__ import annotations

import time
import uuid
from typing import Any

from local_aws.control.cfn.provider import Context, Made, Properties, ResourceType

_CONFIGURATION = (
    "Architectures DeadLetterConfig Description Environment EphemeralStorage FunctionName Handler "
    "KmsKeyArn Layers LoggingConfig MemorySize PackageType Role Runtime Timeout TracingConfig "
    "VpcConfig"
)


class Function(ResourceType):
    """A Lambda function of zip type."""

    type = "AWS::Lambda::Function"
    known = f"{_CONFIGURATION} Code ReservedConcurrentExecutions Tags"
    replaced_by = "FunctionName PackageType"

    def create(self, ctx: Context, props: Properties) -> Made:
        given = {key: props[key] for key in _CONFIGURATION.split() if key in props}
        given.setdefault("FunctionName", ctx.name())
        made = ctx.call(
            "lambda",
            "create_function",
            **given,
            Code=_code(props["Code"]),
            Tags={tag["Key"]: tag["Value"] for tag in ctx.tags(props)} or None,
        )
        self._concurrency(ctx, given["FunctionName"], {}, props)
        return self._made(made)

    def _made(self, made: dict[str, Any]) -> Made:
        return Made(made["FunctionName"], {"Arn": made["FunctionArn"]})

    def _concurrency(self, ctx: Context, name: str, old: Properties, new: Properties) -> None:
        key = "ReservedConcurrentExecutions"
        if old.get(key) == new.get(key):
            return
        if key in new:
            ctx.call("lambda", "put_function_concurrency", FunctionName=name, **{key: new[key]})
        else:
            ctx.client("lambda").delete_function_concurrency(FunctionName=name)

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        fixed = ("PackageType", "FunctionName", "Architectures")
        names = [name for name in _CONFIGURATION.split() if name not in fixed]
        given = {key: new[key] for key in names if key in new}
        for key, empty in (("Environment", {"Variables": {}}), ("Description", ""), ("Layers", [])):
            if key in old and key not in new:
                given[key] = empty
        if any(old.get(key) != new.get(key) for key in names):
            ctx.call("lambda", "update_function_configuration", FunctionName=physical_id, **given)
        if old["Code"] != new["Code"]:
            ctx.call(
                "lambda", "update_function_code", FunctionName=physical_id, **_code(new["Code"])
            )
        self._concurrency(ctx, physical_id, old, new)
        made = ctx.client("lambda").get_function_configuration(FunctionName=physical_id)
        if tags := ctx.tags(new):
            ctx.client("lambda").tag_resource(
                Resource=made["FunctionArn"], Tags={tag["Key"]: tag["Value"] for tag in tags}
            )
        return self._made(made)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("lambda").delete_function(FunctionName=physical_id)


def _code(code: Properties) -> dict[str, Any]:
    """Return a template's Code as the API takes it; inline text becomes a zip of index.py."""
    if "ZipFile" not in code:
        return dict(code)
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", str(code["ZipFile"]))
    return {"ZipFile": buffer.getvalue()}


class Permission(ResourceType):
    """Who may invoke a function."""

    type = "AWS::Lambda::Permission"
    known = "Action FunctionName Principal SourceAccount SourceArn"
    replaced_by = "*"

    def create(self, ctx: Context, props: Properties) -> Made:
        sid = f"{ctx.stack_name}-{ctx.logical_id}-{uuid.uuid4().hex[:12]}"[:100]
        ctx.call("lambda", "add_permission", StatementId=sid, **props)
        return Made(sid, {"Id": sid})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("lambda").remove_permission(
            FunctionName=props["FunctionName"], StatementId=physical_id
        )


class EventInvokeConfig(ResourceType):
    """How asynchronous invocations are tried again, and where failures go."""

    type = "AWS::Lambda::EventInvokeConfig"
    known = "DestinationConfig FunctionName MaximumEventAgeInSeconds MaximumRetryAttempts Qualifier"
    replaced_by = "FunctionName Qualifier"

    def create(self, ctx: Context, props: Properties) -> Made:
        given = {key: value for key, value in props.items() if key != "Qualifier"}
        ctx.call("lambda", "put_function_event_invoke_config", **given)
        return Made(f"{props['FunctionName']}|{props.get('Qualifier', '$LATEST')}", {})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        return self.create(ctx, new)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("lambda").delete_function_event_invoke_config(FunctionName=props["FunctionName"])


class Rule(ResourceType):
    """A rule of the event bus, with its targets."""

    type = "AWS::Events::Rule"
    known = "Description EventBusName EventPattern Name RoleArn ScheduleExpression State Targets"
    replaced_by = "EventBusName Name"

    def create(self, ctx: Context, props: Properties) -> Made:
        return self._put(ctx, props.get("Name") or ctx.name(), {}, props)

    def _put(self, ctx: Context, name: str, old: Properties, new: Properties) -> Made:
        given = {key: value for key, value in new.items() if key not in ("Targets", "Name")}
        arn = ctx.call("events", "put_rule", Name=name, **given)["RuleArn"]
        gone = {t["Id"] for t in old.get("Targets") or []}
        gone -= {t["Id"] for t in new.get("Targets") or []}
        if gone:
            ctx.client("events").remove_targets(Rule=name, Ids=sorted(gone))
        if new.get("Targets"):
            ctx.call("events", "put_targets", Rule=name, Targets=new["Targets"])
        return Made(name, {"Arn": arn})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        return self._put(ctx, physical_id, old, new)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        events = ctx.client("events")
        targets = events.list_targets_by_rule(Rule=physical_id)["Targets"]
        if targets:
            events.remove_targets(Rule=physical_id, Ids=[target["Id"] for target in targets])
        events.delete_rule(Name=physical_id)


class WaitConditionHandle(ResourceType):
    """A handle that nothing signals: templates use it as a resource without effect."""

    type = "AWS::CloudFormation::WaitConditionHandle"
    known = ""

    def create(self, ctx: Context, props: Properties) -> Made:
        return Made(f"{ctx.stack_name}-{ctx.logical_id}-{int(time.time())}", {})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        return None
