"""Carry stacks from one template to the next: create, update, delete, roll back."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.control.cfn.errors import ResourceError, StackError
from local_aws.control.cfn.evaluate import NO_VALUE, Evaluator, in_order
from local_aws.control.cfn.provider import (
    Context,
    Properties,
    ResourceType,
    changed_names,
)
from local_aws.control.cfn.stacks import Change, Output, Stack, StackResource, now
from local_aws.control.cfn.template import Template, as_text

log = logging.getLogger(__name__)

PENDING = "(known after creation)"


class Plan:
    """A template with its parameters, ready to be compared with a stack or applied to it."""

    def __init__(
        self, body: str, template: Template, supplied: dict[str, str], parameters: dict[str, Any]
    ) -> None:
        self.body = body
        self.template = template
        self.supplied = supplied
        self.parameters = parameters


class Engine:
    """Applies plans to stacks; one operation on a stack at a time."""

    def __init__(
        self,
        types: dict[str, ResourceType],
        client: Callable[[str], Any],
        region: str,
        account: str,
        export: Callable[[str], str],
        dynamic: Callable[[Any], Any],
    ) -> None:
        self.types = types
        self.client = client
        self.region = region
        self.account = account
        self.export = export
        self.dynamic = dynamic
        self.lock = threading.RLock()

    # -- evaluation

    def evaluator(self, stack: Stack, plan: Plan, planning: bool = False) -> Evaluator:
        """Return an evaluator over what the stack holds; planning knows unmade resources too."""
        names = set(plan.template["Resources"])

        def reference(name: str) -> str:
            if name in stack.resources and name in names:
                return stack.resources[name].physical_id
            if planning and name in names:
                return PENDING
            raise KeyError(name)

        def attribute(name: str, key: str) -> Any:
            if name in stack.resources and name in names:
                return stack.resources[name].attributes[key]
            if planning and name in names:
                return PENDING
            raise KeyError(name)

        def export(name: str) -> str:
            value = self.export(name)
            if not planning:
                stack.imports.add(name)
            return value

        pseudo = {
            "AWS::AccountId": self.account,
            "AWS::Region": self.region,
            "AWS::StackId": stack.id,
            "AWS::StackName": stack.name,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::Partition": "aws",
            "AWS::NotificationARNs": stack.notification_arns,
        }
        return Evaluator(plan.template, plan.parameters, pseudo, reference, attribute, export)

    def wanted(self, plan: Plan, evaluator: Evaluator) -> dict[str, dict[str, Any]]:
        """Return the definitions whose condition holds, in the order of their dependencies."""
        resources = {
            name: definition
            for name, definition in plan.template["Resources"].items()
            if "Condition" not in definition or evaluator.condition(definition["Condition"])
        }
        return {name: resources[name] for name in in_order(resources)}

    def check(self, stack: Stack, plan: Plan) -> None:
        """Raise StackError for a rule, condition or function that cannot be evaluated."""
        evaluator = self.evaluator(stack, plan, planning=True)
        evaluator.check_rules()
        for name in plan.template.get("Conditions") or {}:
            evaluator.condition(name)
        wanted = self.wanted(plan, evaluator)
        for definition in wanted.values():
            evaluator.value(definition.get("Properties", {}))

    def changes(self, stack: Stack, plan: Plan) -> list[Change]:
        """Return what applying a plan would do, with nothing touched."""
        evaluator = self.evaluator(stack, plan, planning=True)
        wanted = self.wanted(plan, evaluator)
        found: list[Change] = []
        replaced: set[str] = set()
        for name, definition in wanted.items():
            kind = definition["Type"]
            have = stack.resources.get(name)
            if have is None:
                found.append(Change("Add", name, "", kind))
                continue
            props = evaluator.value(definition.get("Properties", {}))
            names = changed_names(have.properties, props)
            touched = {r for r in replaced if _mentions(definition, r)}
            if not names and kind == have.type and not touched:
                continue
            replacement = kind != have.type or bool(
                kind in self.types and self.types[kind].must_replace(have.properties, props)
            )
            if replacement:
                replaced.add(name)
            found.append(Change("Modify", name, have.physical_id, kind, replacement, tuple(names)))
        for name, have in stack.resources.items():
            if name not in wanted:
                found.append(Change("Remove", name, have.physical_id, have.type))
        return found

    def outputs(self, stack: Stack, plan: Plan) -> dict[str, Output]:
        """Return the outputs that a plan gives over what the stack holds now."""
        evaluator = self.evaluator(stack, plan)
        found = {}
        for key, node in (plan.template.get("Outputs") or {}).items():
            if "Condition" in node and not evaluator.condition(node["Condition"]):
                continue
            value = evaluator.value(node["Value"])
            if value is NO_VALUE:
                continue
            export = node.get("Export")
            found[key] = Output(
                key,
                as_text(self.dynamic(value)),
                str(node.get("Description", "")),
                as_text(evaluator.value(export["Name"])) if export else "",
            )
        return found

    # -- operations

    def create(self, stack: Stack, plan: Plan, on_failure: str) -> None:
        """Make every resource; on failure remove them (ROLLBACK, DELETE) or stop (DO_NOTHING)."""
        try:
            self._apply(stack, plan, "CREATE")
        except (ResourceError, StackError) as error:
            log.warning("stack %s: %s", stack.name, error)
            if on_failure == "DO_NOTHING":
                stack.set_status("CREATE_FAILED", str(error))
                return
            stack.set_status("ROLLBACK_IN_PROGRESS", str(error))
            kept = self._remove_all(stack, list(stack.resources))
            if kept:
                stack.set_status("ROLLBACK_FAILED", f"could not delete {kept}")
            elif on_failure == "DELETE":
                stack.set_status("DELETE_COMPLETE")
                stack.deleted_at = now()
            else:
                stack.set_status("ROLLBACK_COMPLETE")
            return
        stack.set_status("CREATE_COMPLETE")

    def update(self, stack: Stack, plan: Plan, before: Plan) -> None:
        """Carry a stack to a new plan; on failure back to the one before unless told not to."""
        try:
            leftovers = self._apply(stack, plan, "UPDATE")
        except (ResourceError, StackError) as error:
            log.warning("stack %s: %s", stack.name, error)
            if stack.disable_rollback:
                stack.set_status("UPDATE_FAILED", str(error))
                return
            stack.set_status("UPDATE_ROLLBACK_IN_PROGRESS", str(error))
            try:
                leftovers = self._apply(stack, before, "UPDATE")
            except (ResourceError, StackError) as second:
                stack.set_status("UPDATE_ROLLBACK_FAILED", str(second))
                return
            stack.set_status("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
            self._clean(stack, before, leftovers)
            stack.set_status("UPDATE_ROLLBACK_COMPLETE")
            return
        stack.set_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        self._clean(stack, plan, leftovers)
        stack.set_status("UPDATE_COMPLETE")

    def delete(self, stack: Stack, retain: list[str]) -> None:
        """Remove every resource except those that a policy or the caller keeps."""
        for name in retain:
            stack.resources.pop(name, None)
        kept = self._remove_all(stack, list(stack.resources), policies=True)
        if kept:
            stack.set_status(
                "DELETE_FAILED",
                f"The following resource(s) failed to delete: [{', '.join(kept)}]. ",
            )
            return
        stack.outputs = {}
        stack.imports = set()
        stack.deleted_at = now()
        stack.set_status("DELETE_COMPLETE")

    # -- steps

    def _apply(self, stack: Stack, plan: Plan, verb: str) -> list[StackResource]:
        """Make and change resources in order; return those that were replaced."""
        stack.imports = set()
        evaluator = self.evaluator(stack, plan)
        replaced: list[StackResource] = []
        for name, definition in self.wanted(plan, evaluator).items():
            kind = definition["Type"]
            have = stack.resources.get(name)
            verb_here = verb if have else "CREATE"
            try:
                props = evaluator.value(definition.get("Properties", {}))
                old = self._one(stack, name, kind, definition, props, have)
                if old is not None:
                    replaced.append(old)
            except (ResourceError, StackError, ClientError, BotoCoreError) as error:
                reason = _reason(error)
                physical = have.physical_id if have else ""
                stack.record(name, kind, f"{verb_here}_FAILED", physical, reason)
                raise ResourceError(
                    f"The following resource(s) failed to {verb_here.lower()}: [{name}]. {reason}"
                ) from error
        stack.outputs = self.outputs(stack, plan)
        stack.body, stack.template = plan.body, plan.template
        stack.supplied, stack.parameters = plan.supplied, plan.parameters
        return replaced

    def _one(
        self,
        stack: Stack,
        name: str,
        kind: str,
        definition: dict[str, Any],
        props: Properties,
        have: StackResource | None,
    ) -> StackResource | None:
        """Bring one resource to its definition; return the one it replaced, if any."""
        handler = self._handler(kind)
        handler.check(props)
        ctx = self._context(stack, name)
        resolved = self.dynamic(props)
        if have is None or have.type != kind or handler.must_replace(have.properties, props):
            stack.record(name, kind, "CREATE_IN_PROGRESS" if not have else "UPDATE_IN_PROGRESS")
            made = handler.create(ctx, resolved)
            stack.resources[name] = StackResource(
                name, kind, made.physical_id, props, definition, made.attributes
            )
            status = "CREATE_COMPLETE" if not have else "UPDATE_COMPLETE"
        elif changed_names(have.properties, props):
            stack.record(name, kind, "UPDATE_IN_PROGRESS", have.physical_id)
            made = handler.update(ctx, have.physical_id, self.dynamic(have.properties), resolved)
            stack.resources[name] = StackResource(
                name, kind, made.physical_id, props, definition, made.attributes, "UPDATE_COMPLETE"
            )
            status = "UPDATE_COMPLETE"
            have = None
        else:
            have.definition = definition
            return None
        stack.record(name, kind, status, stack.resources[name].physical_id)
        return have

    def _clean(self, stack: Stack, plan: Plan, replaced: list[StackResource]) -> None:
        """Remove what an update left behind: replaced resources, then dropped ones."""
        for old in reversed(replaced):
            if old.definition.get("UpdateReplacePolicy") != "Retain":
                self._remove(stack, old, old.definition.get("UpdateReplacePolicy", "Delete"))
        wanted = self.wanted(plan, self.evaluator(stack, plan))
        dropped = [name for name in stack.resources if name not in wanted]
        self._remove_all(stack, dropped, policies=True)

    def _remove_all(self, stack: Stack, names: list[str], policies: bool = False) -> list[str]:
        """Remove resources, dependents first; return the names that could not be."""
        definitions = {name: stack.resources[name].definition for name in names}
        kept = []
        for name in reversed(in_order(definitions)):
            resource = stack.resources[name]
            policy = resource.definition.get("DeletionPolicy", "Delete") if policies else "Delete"
            if policy == "Retain":
                stack.record(name, resource.type, "DELETE_SKIPPED", resource.physical_id)
            elif not self._remove(stack, resource, policy):
                kept.append(name)
                continue
            del stack.resources[name]
        return kept

    def _remove(self, stack: Stack, resource: StackResource, policy: str) -> bool:
        name, kind, physical = resource.logical_id, resource.type, resource.physical_id
        stack.record(name, kind, "DELETE_IN_PROGRESS", physical)
        ctx = self._context(stack, name)
        try:
            handler = self._handler(kind)
            if policy == "Snapshot":
                handler.snapshot(ctx, physical)
            handler.delete(ctx, physical, resource.properties)
        except (ResourceError, ClientError, BotoCoreError) as error:
            if not _already_gone(error):
                resource.status, resource.reason = "DELETE_FAILED", _reason(error)
                stack.record(name, kind, "DELETE_FAILED", physical, resource.reason)
                return False
        stack.record(name, kind, "DELETE_COMPLETE", physical)
        return True

    def _handler(self, kind: str) -> ResourceType:
        if kind not in self.types:
            raise ResourceError(f"Resource type {kind} is not supported by the miniature")
        return self.types[kind]

    def _context(self, stack: Stack, name: str) -> Context:
        return Context(
            self.client, self.region, self.account, stack.name, stack.id, name, stack.tags
        )

    def new_id(self, kind: str, name: str) -> str:
        """Return an identifier for a stack or a change set."""
        return f"arn:aws:cloudformation:{self.region}:{self.account}:{kind}/{name}/{uuid.uuid4()}"


def _mentions(definition: dict[str, Any], name: str) -> bool:
    from local_aws.control.cfn.evaluate import dependencies

    return bool(dependencies(definition, {name}))


def _reason(error: Exception) -> str:
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        return f"{details.get('Message', error)} (Service error {details.get('Code')})"
    return str(error)


def _already_gone(error: Exception) -> bool:
    if not isinstance(error, ClientError):
        return False
    code = str(error.response.get("Error", {}).get("Code"))
    return "NotFound" in code or code in ("NoSuchEntity", "NoSuchBucket", "NoSuchBucketPolicy")
