"""CloudFormation's API over the engine: the calls that deployers make, the rest fails by name."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from local_aws.control.cfn import describe
from local_aws.control.cfn.dynamic import DynamicReferences
from local_aws.control.cfn.engine import Engine, Plan
from local_aws.control.cfn.errors import ResourceError, StackError
from local_aws.control.cfn.provider import ResourceType
from local_aws.control.cfn.stacks import ChangeSet, Stack, now
from local_aws.control.cfn.template import as_text, load_template, resolve_parameters
from local_aws.control.query import error, members, parse_form, reply
from local_aws.control.server import Request, Response

log = logging.getLogger(__name__)

NAMESPACE = "http://cloudformation.amazonaws.com/doc/2010-05-15/"
# A real service answers at once and goes on behind; answering late, when all is done, saves
# pollers their pause. Longer operations go on behind as at AWS.
ANSWER_WITHIN = 20.0
_UNCHANGED = (
    "The submitted information didn't contain changes. "
    "Submit different information to create a change set."
)


class CloudFormation:
    """The stacks of one account and region."""

    def __init__(
        self,
        types: dict[str, ResourceType],
        client: Callable[[str], Any],
        read_url: Callable[[str], str],
        region: str,
        account: str,
    ) -> None:
        self.client = client
        self.read_url = read_url
        self.stacks: list[Stack] = []
        self.change_sets: dict[str, ChangeSet] = {}
        self.lock = threading.RLock()
        self.busy: set[str] = set()
        dynamic = DynamicReferences(client)
        self.engine = Engine(types, client, region, account, self._export, dynamic)

    def handle(self, request: Request) -> Response:
        """Answer one call."""
        fields = parse_form(request.body, request.query_string)
        action = fields.get("Action", "")
        method = _ACTIONS.get(action)
        if method is None:
            return error(
                501,
                "NotImplemented",
                f"CloudFormation {action} is not supported by the miniature",
                NAMESPACE,
            )
        try:
            return reply(action, NAMESPACE, method(self, fields))
        except StackError as failure:
            return error(failure.status, failure.code, failure.message, NAMESPACE)

    # -- finding

    def find(self, name: str, deleted: bool = True) -> Stack:
        """Return a stack by name (living) or id (deleted ones too)."""
        for stack in reversed(self.stacks):
            gone = stack.status == "DELETE_COMPLETE"
            if (stack.id == name and (deleted or not gone)) or (stack.name == name and not gone):
                return stack
        raise StackError(f"Stack with id {name} does not exist")

    def _export(self, name: str) -> str:
        for stack in self.stacks:
            for output in stack.outputs.values():
                if output.export == name:
                    return output.value
        raise StackError(f"No export named {name} found. Rollback requested by user.")

    def _importers(self, name: str) -> list[str]:
        return [s.name for s in self.stacks if name in s.imports and s.status != "DELETE_COMPLETE"]

    # -- plans

    def _ssm_value(self, name: str) -> str:
        ssm = self.client("ssm")
        try:
            return str(ssm.get_parameter(Name=name)["Parameter"]["Value"])
        except ssm.exceptions.ParameterNotFound:
            raise StackError(
                f"Unable to fetch parameters [{name}] from parameter store for this account."
            ) from None

    def _body(self, fields: dict[str, str], stack: Stack | None) -> str:
        if fields.get("UsePreviousTemplate") == "true" and stack:
            return stack.body
        if fields.get("TemplateBody"):
            return fields["TemplateBody"]
        if fields.get("TemplateURL"):
            return self.read_url(fields["TemplateURL"])
        raise StackError("Either Template URL or Template Body must be specified.")

    def _plan(self, fields: dict[str, str], stack: Stack | None) -> Plan:
        body = self._body(fields, stack)
        template = load_template(body)
        supplied: dict[str, str] = {}
        for item in members(fields, "Parameters"):
            key = item["ParameterKey"]
            if item.get("UsePreviousValue") == "true":
                if stack is None or key not in stack.template.get("Parameters", {}):
                    raise StackError(f"Invalid input for parameter key {key}. No previous value.")
                if key in stack.supplied:
                    supplied[key] = stack.supplied[key]
            else:
                supplied[key] = item.get("ParameterValue", "")
        parameters = resolve_parameters(template, supplied, self._ssm_value)
        self._check_capabilities(template, members(fields, "Capabilities"))
        return Plan(body, template, supplied, parameters)

    @staticmethod
    def _check_capabilities(template: dict[str, Any], given: list[str]) -> None:
        iam = [r for r in template["Resources"].values() if r["Type"].startswith("AWS::IAM::")]
        names = ("RoleName", "InstanceProfileName", "ManagedPolicyName", "UserName", "GroupName")
        named = any(name in r.get("Properties", {}) for r in iam for name in names)
        if named and "CAPABILITY_NAMED_IAM" not in given:
            raise StackError(
                "Requires capabilities : [CAPABILITY_NAMED_IAM]",
                "InsufficientCapabilitiesException",
            )
        if iam and not {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"} & set(given):
            raise StackError(
                "Requires capabilities : [CAPABILITY_IAM]", "InsufficientCapabilitiesException"
            )

    def _check_exports(self, stack: Stack, plan: Plan) -> None:
        """Refuse an update that takes away or changes what another stack imports."""
        evaluator = self.engine.evaluator(stack, plan, planning=True)
        kept: dict[str, Any] = {}
        for node in (plan.template.get("Outputs") or {}).values():
            if "Export" in node and (
                "Condition" not in node or evaluator.condition(node["Condition"])
            ):
                kept[as_text(evaluator.value(node["Export"]["Name"]))] = node
        for output in stack.outputs.values():
            users = self._importers(output.export) if output.export else []
            if users and output.export not in kept:
                raise StackError(
                    f"Export {output.export} cannot be deleted as it is in use by {users}"
                )
        for name in kept:
            for other in self.stacks:
                taken = {o.export for o in other.outputs.values()}
                if other is not stack and name in taken and other.status != "DELETE_COMPLETE":
                    raise StackError(
                        f"Export with name {name} is already exported by {other.name}."
                    )

    # -- running

    def _start(self, stack: Stack, work: Callable[[], None]) -> None:
        with self.lock:
            if stack.id in self.busy:
                raise StackError(
                    f"Stack:{stack.id} is in {stack.status} state and can not be updated."
                )
            self.busy.add(stack.id)

        def run() -> None:
            try:
                work()
            except Exception as failure:
                log.exception("stack %s", stack.name)
                stem = stack.status.partition("_")[0]
                stack.set_status(f"{stem}_FAILED", f"Internal Failure: {failure}")
            finally:
                self.busy.discard(stack.id)

        thread = threading.Thread(target=run, name=f"stack-{stack.name}", daemon=True)
        thread.start()
        thread.join(ANSWER_WITHIN)

    def create_stack(self, fields: dict[str, str]) -> dict[str, Any]:
        """Make a stack."""
        name = fields["StackName"]
        with self.lock:
            try:
                existing = self.find(name, deleted=False)
            except StackError:
                existing = None
            if existing is not None:
                raise StackError(f"Stack [{name}] already exists", "AlreadyExistsException")
            plan = self._plan(fields, None)
            stack = self._new_stack(fields)
            self.engine.check(stack, plan)
            self._check_exports(stack, plan)
            self.stacks.append(stack)
        disable = fields.get("DisableRollback") == "true"
        on_failure = fields.get("OnFailure") or ("DO_NOTHING" if disable else "ROLLBACK")
        self._set(stack, plan)
        stack.set_status("CREATE_IN_PROGRESS", "User Initiated")
        self._start(stack, lambda: self.engine.create(stack, plan, on_failure))
        return {"StackId": stack.id}

    def _new_stack(self, fields: dict[str, str]) -> Stack:
        name = fields["StackName"]
        if fields.get("StackPolicyBody") or fields.get("StackPolicyURL"):
            # A policy that is kept but not obeyed would be a lie.
            raise StackError("Stack policies are not supported by the miniature")
        return Stack(
            name,
            self.engine.new_id("stack", name),
            tags={tag["Key"]: tag["Value"] for tag in members(fields, "Tags")},
            capabilities=members(fields, "Capabilities"),
            notification_arns=members(fields, "NotificationARNs"),
            role_arn=fields.get("RoleARN", ""),
            protected=fields.get("EnableTerminationProtection") == "true",
            disable_rollback=fields.get("DisableRollback") == "true",
            token=fields.get("ClientRequestToken", ""),
        )

    @staticmethod
    def _set(stack: Stack, plan: Plan) -> None:
        stack.body, stack.template = plan.body, plan.template
        stack.supplied, stack.parameters = plan.supplied, plan.parameters

    def update_stack(self, fields: dict[str, str]) -> dict[str, Any]:
        """Change a stack; refuses when nothing would change."""
        stack = self.find(fields["StackName"], deleted=False)
        self._check_state(stack)
        plan = self._plan(fields, stack)
        tags = {tag["Key"]: tag["Value"] for tag in members(fields, "Tags")}
        self.engine.check(stack, plan)
        self._check_exports(stack, plan)
        if not self._differs(stack, plan, tags):
            raise StackError("No updates are to be performed.")
        stack.disable_rollback = fields.get("DisableRollback") == "true"
        self._run_update(stack, plan, tags, fields)
        return {"StackId": stack.id}

    def _run_update(
        self, stack: Stack, plan: Plan, tags: dict[str, str], fields: dict[str, str]
    ) -> None:
        before = Plan(stack.body, stack.template, stack.supplied, stack.parameters)
        stack.token = fields.get("ClientRequestToken", "")
        stack.tags = tags or stack.tags
        stack.capabilities = members(fields, "Capabilities") or stack.capabilities
        stack.updated_at = now()
        stack.set_status("UPDATE_IN_PROGRESS", "User Initiated")
        self._start(stack, lambda: self.engine.update(stack, plan, before))

    def _check_state(self, stack: Stack) -> None:
        bad = stack.status.startswith(("ROLLBACK", "DELETE", "REVIEW")) or stack.status in (
            "CREATE_FAILED", "UPDATE_ROLLBACK_FAILED",
        )  # fmt: skip
        if bad or stack.status.endswith("IN_PROGRESS"):
            raise StackError(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")

    def _differs(self, stack: Stack, plan: Plan, tags: dict[str, str]) -> bool:
        if stack.status == "UPDATE_FAILED" or (tags and tags != stack.tags):
            return True
        if self.engine.changes(stack, plan):
            return True
        return self.engine.outputs(stack, plan) != stack.outputs

    def delete_stack(self, fields: dict[str, str]) -> None:
        """Remove a stack; a name that is not there is no error."""
        try:
            stack = self.find(fields["StackName"], deleted=False)
        except StackError:
            return
        if stack.protected:
            raise StackError(
                f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
            )
        for output in stack.outputs.values():
            users = self._importers(output.export) if output.export else []
            if users:
                stack.record(stack.name, "AWS::CloudFormation::Stack", stack.status, stack.id)
                raise StackError(
                    f"Export {output.export} cannot be deleted as it is in use by {', '.join(users)}"
                )
        stack.token = fields.get("ClientRequestToken", "")
        retain = members(fields, "RetainResources")
        stack.set_status("DELETE_IN_PROGRESS", "User Initiated")
        self._start(stack, lambda: self.engine.delete(stack, retain))

    # -- change sets

    def create_change_set(self, fields: dict[str, str]) -> dict[str, Any]:
        """Plan a change without making it."""
        kind = fields.get("ChangeSetType", "UPDATE")
        name = fields["ChangeSetName"]
        if kind == "CREATE":
            stack = self._new_stack(fields)
            plan = self._plan(fields, None)
            self.stacks.append(stack)
            stack.set_status("REVIEW_IN_PROGRESS", "User Initiated")
        elif kind == "UPDATE":
            stack = self.find(fields["StackName"], deleted=False)
            plan = self._plan(fields, stack)
        else:
            raise StackError(f"ChangeSetType {kind} is not supported by the miniature")
        self.engine.check(stack, plan)
        tags = {tag["Key"]: tag["Value"] for tag in members(fields, "Tags")}
        changes = self.engine.changes(stack, plan)
        failed = kind == "UPDATE" and not self._differs(stack, plan, tags)
        change_set = ChangeSet(
            self.engine.new_id("changeSet", name),
            name,
            stack,
            kind,
            plan.body,
            plan.supplied,
            tags,
            members(fields, "Capabilities"),
            changes,
            "FAILED" if failed else "CREATE_COMPLETE",
            _UNCHANGED if failed else "",
            "UNAVAILABLE" if failed else "AVAILABLE",
        )
        self.change_sets[change_set.id] = change_set
        return {"Id": change_set.id, "StackId": stack.id}

    def _change_set(self, fields: dict[str, str]) -> ChangeSet:
        name, stack = fields["ChangeSetName"], fields.get("StackName")
        for item in self.change_sets.values():
            if item.id == name or (item.name == name and stack in (item.stack.name, item.stack.id)):
                return item
        raise StackError(f"ChangeSet [{name}] does not exist", "ChangeSetNotFound", 404)

    def describe_change_set(self, fields: dict[str, str]) -> dict[str, Any]:
        """Tell what a change set would do."""
        return describe.change_set(self._change_set(fields))

    def list_change_sets(self, fields: dict[str, str]) -> dict[str, Any]:
        """List a stack's change sets."""
        stack = self.find(fields["StackName"])
        found = [item for item in self.change_sets.values() if item.stack is stack]
        return {"Summaries": [describe.summary(item) for item in found]}

    def delete_change_set(self, fields: dict[str, str]) -> dict[str, Any]:
        """Forget a change set."""
        try:
            del self.change_sets[self._change_set(fields).id]
        except StackError:
            log.info("change set %s was gone already", fields["ChangeSetName"])
        return {}

    def execute_change_set(self, fields: dict[str, str]) -> dict[str, Any]:
        """Make a planned change."""
        item = self._change_set(fields)
        if item.execution_status != "AVAILABLE":
            raise StackError(
                f"ChangeSet [{item.id}] cannot be executed in its current status of "
                f"[{item.execution_status}]",
                "InvalidChangeSetStatus",
            )
        template = load_template(item.body)
        parameters = resolve_parameters(template, item.supplied, self._ssm_value)
        plan = Plan(item.body, template, item.supplied, parameters)
        stack = item.stack
        item.execution_status = "EXECUTE_COMPLETE"
        if item.kind == "CREATE":
            self._set(stack, plan)
            stack.set_status("CREATE_IN_PROGRESS", "User Initiated")
            self._start(stack, lambda: self.engine.create(stack, plan, "ROLLBACK"))
        else:
            self._check_state(stack)
            self._check_exports(stack, plan)
            self._run_update(stack, plan, item.tags, fields)
        return {}

    # -- telling

    def describe_stacks(self, fields: dict[str, str]) -> dict[str, Any]:
        """Describe one stack or all living ones."""
        if fields.get("StackName"):
            return {"Stacks": [describe.stack_details(self.find(fields["StackName"]))]}
        living = [stack for stack in self.stacks if stack.status != "DELETE_COMPLETE"]
        return {"Stacks": [describe.stack_details(stack) for stack in living]}

    def list_stacks(self, fields: dict[str, str]) -> dict[str, Any]:
        """List stacks, deleted ones too, newest first."""
        wanted = members(fields, "StackStatusFilter")
        return {
            "StackSummaries": [
                {
                    "StackId": stack.id,
                    "StackName": stack.name,
                    "TemplateDescription": stack.template.get("Description"),
                    "CreationTime": stack.created_at,
                    "LastUpdatedTime": stack.updated_at,
                    "DeletionTime": stack.deleted_at,
                    "StackStatus": stack.status,
                    "StackStatusReason": stack.reason or None,
                }
                for stack in reversed(self.stacks)
                if not wanted or stack.status in wanted
            ]
        }

    def describe_events(self, fields: dict[str, str]) -> dict[str, Any]:
        """Tell a stack's history, newest first."""
        stack = self.find(fields["StackName"])
        return {
            "StackEvents": [
                {
                    "StackId": stack.id,
                    "EventId": event.id,
                    "StackName": stack.name,
                    "LogicalResourceId": event.logical_id,
                    "PhysicalResourceId": event.physical_id,
                    "ResourceType": event.type,
                    "Timestamp": event.at,
                    "ResourceStatus": event.status,
                    "ResourceStatusReason": event.reason or None,
                    "ClientRequestToken": event.token or None,
                }
                for event in reversed(stack.events)
            ]
        }

    def list_resources(self, fields: dict[str, str]) -> dict[str, Any]:
        """List a stack's resources."""
        stack = self.find(fields["StackName"])
        return {"StackResourceSummaries": [describe.resource(r) for r in stack.resources.values()]}

    def describe_resources(self, fields: dict[str, str]) -> dict[str, Any]:
        """Describe a stack's resources, or one by its logical id."""
        stack = self.find(fields.get("StackName") or "")
        wanted = fields.get("LogicalResourceId")
        return {
            "StackResources": [
                {
                    **describe.resource(r, "Timestamp"),
                    "StackName": stack.name,
                    "StackId": stack.id,
                }
                for r in stack.resources.values()
                if wanted in (None, r.logical_id)
            ]
        }

    def describe_resource(self, fields: dict[str, str]) -> dict[str, Any]:
        """Describe one resource."""
        stack = self.find(fields["StackName"])
        name = fields["LogicalResourceId"]
        if name not in stack.resources:
            raise StackError(f"Resource {name} does not exist for stack {stack.name}")
        return {
            "StackResourceDetail": {
                **describe.resource(stack.resources[name]),
                "StackName": stack.name,
                "StackId": stack.id,
            }
        }

    def get_template(self, fields: dict[str, str]) -> dict[str, Any]:
        """Return a stack's template as it was given."""
        return {"TemplateBody": self.find(fields["StackName"]).body}

    def template_summary(self, fields: dict[str, str]) -> dict[str, Any]:
        """Tell a template's parameters and types."""
        stack = self.find(fields["StackName"]) if fields.get("StackName") else None
        template = load_template(stack.body if stack else self._body(fields, None))
        return {
            "Description": template.get("Description"),
            "Parameters": describe.slots(template),
            "ResourceTypes": sorted({r["Type"] for r in template["Resources"].values()}),
            "Capabilities": [],
        }

    def validate_template(self, fields: dict[str, str]) -> dict[str, Any]:
        """Check a template's outline."""
        template = load_template(self._body(fields, None))
        return {"Description": template.get("Description"), "Parameters": describe.slots(template)}

    def list_exports(self, fields: dict[str, str]) -> dict[str, Any]:  # noqa: ARG002
        """List what stacks export."""
        return {
            "Exports": [
                {"ExportingStackId": stack.id, "Name": output.export, "Value": output.value}
                for stack in self.stacks
                for output in stack.outputs.values()
                if output.export
            ]
        }

    def list_imports(self, fields: dict[str, str]) -> dict[str, Any]:
        """List who imports an export."""
        users = self._importers(fields["ExportName"])
        if not users:
            raise StackError(f"Export '{fields['ExportName']}' is not imported by any stack.")
        return {"Imports": users}

    def protect(self, fields: dict[str, str]) -> dict[str, Any]:
        """Set a stack's termination protection."""
        stack = self.find(fields["StackName"], deleted=False)
        stack.protected = fields["EnableTerminationProtection"] == "true"
        return {"StackId": stack.id}

    def get_policy(self, fields: dict[str, str]) -> dict[str, Any]:
        """Return a stack's policy, of which there is none here."""
        self.find(fields["StackName"])
        return {}


_ACTIONS: dict[str, Callable[[CloudFormation, dict[str, str]], Any]] = {
    "CreateStack": CloudFormation.create_stack,
    "UpdateStack": CloudFormation.update_stack,
    "DeleteStack": CloudFormation.delete_stack,
    "DescribeStacks": CloudFormation.describe_stacks,
    "ListStacks": CloudFormation.list_stacks,
    "DescribeStackEvents": CloudFormation.describe_events,
    "ListStackResources": CloudFormation.list_resources,
    "DescribeStackResources": CloudFormation.describe_resources,
    "DescribeStackResource": CloudFormation.describe_resource,
    "GetTemplate": CloudFormation.get_template,
    "GetTemplateSummary": CloudFormation.template_summary,
    "ValidateTemplate": CloudFormation.validate_template,
    "ListExports": CloudFormation.list_exports,
    "ListImports": CloudFormation.list_imports,
    "CreateChangeSet": CloudFormation.create_change_set,
    "DescribeChangeSet": CloudFormation.describe_change_set,
    "ListChangeSets": CloudFormation.list_change_sets,
    "DeleteChangeSet": CloudFormation.delete_change_set,
    "ExecuteChangeSet": CloudFormation.execute_change_set,
    "UpdateTerminationProtection": CloudFormation.protect,
    "GetStackPolicy": CloudFormation.get_policy,
}

__all__ = ["CloudFormation", "ResourceError"]
