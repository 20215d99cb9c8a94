"""The API's words for stacks, resources and change sets."""

from __future__ import annotations

from typing import Any

from local_aws.control.cfn.stacks import ChangeSet, Stack, StackResource
from local_aws.control.cfn.template import as_text


def parameters(supplied: dict[str, str]) -> list[dict[str, str]]:
    """Return parameters as the API lists them."""
    return [{"ParameterKey": k, "ParameterValue": v} for k, v in supplied.items()]


def tags(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags as the API lists them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def slots(template: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a template's parameters as the API declares them."""
    return [
        {
            "ParameterKey": name,
            "DefaultValue": as_text(slot["Default"]) if "Default" in slot else None,
            "ParameterType": slot.get("Type", "String"),
            "NoEcho": bool(slot.get("NoEcho", False)),
            "Description": slot.get("Description", ""),
        }
        for name, slot in (template.get("Parameters") or {}).items()
    ]


def described_parameters(stack: Stack) -> list[dict[str, Any]]:
    """Return a stack's parameters, secret ones masked, those from SSM with their value."""
    found = []
    for name, slot in (stack.template.get("Parameters") or {}).items():
        text = stack.supplied.get(name, as_text(slot.get("Default", "")))
        resolved = None
        if str(slot.get("Type", "")).startswith("AWS::SSM::Parameter::Value<"):
            resolved = as_text(stack.parameters[name])
        if slot.get("NoEcho"):
            text = "****"
        found.append({"ParameterKey": name, "ParameterValue": text, "ResolvedValue": resolved})
    return found


def stack_details(stack: Stack) -> dict[str, Any]:
    """Return what DescribeStacks tells of a stack."""
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": stack.template.get("Description"),
        "Parameters": described_parameters(stack),
        "CreationTime": stack.created_at,
        "LastUpdatedTime": stack.updated_at,
        "DeletionTime": stack.deleted_at,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason or None,
        "DisableRollback": stack.disable_rollback,
        "NotificationARNs": stack.notification_arns,
        "Capabilities": stack.capabilities,
        "RoleARN": stack.role_arn or None,
        "EnableTerminationProtection": stack.protected,
        "Tags": tags(stack.tags),
        "Outputs": [
            {
                "OutputKey": output.key,
                "OutputValue": output.value,
                "Description": output.description or None,
                "ExportName": output.export or None,
            }
            for output in stack.outputs.values()
        ],
    }


def resource(resource: StackResource, stamp: str = "LastUpdatedTimestamp") -> dict[str, Any]:
    """Return what the API tells of one resource."""
    return {
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        stamp: resource.updated_at,
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason or None,
    }


def summary(item: ChangeSet) -> dict[str, Any]:
    """Return what the API lists of a change set."""
    return {
        "ChangeSetId": item.id,
        "ChangeSetName": item.name,
        "StackId": item.stack.id,
        "StackName": item.stack.name,
        "Status": item.status,
        "StatusReason": item.reason or None,
        "ExecutionStatus": item.execution_status,
        "CreationTime": item.created_at,
    }


def change_set(item: ChangeSet) -> dict[str, Any]:
    """Return what DescribeChangeSet tells."""
    return {
        **summary(item),
        "Parameters": parameters(item.supplied),
        "Capabilities": item.capabilities,
        "Tags": tags(item.tags),
        "Changes": [
            {
                "Type": "Resource",
                "ResourceChange": {
                    "Action": change.action,
                    "LogicalResourceId": change.logical_id,
                    "PhysicalResourceId": change.physical_id or None,
                    "ResourceType": change.type,
                    "Replacement": (None if change.action != "Modify" else str(change.replacement)),
                    "Scope": ["Properties"] if change.action == "Modify" else [],
                    "Details": [
                        {
                            "Target": {"Attribute": "Properties", "Name": name},
                            "Evaluation": "Static",
                            "ChangeSource": "DirectModification",
                        }
                        for name in change.names
                    ],
                },
            }
            for change in item.changes
        ],
    }
