"""One deployment of the templates, with their functions and conditions worked out by the miniature."""

from __future__ import annotations

from typing import Any

from local_aws.control.cfn.evaluate import NO_VALUE, Evaluator
from tests.template.templates import template

ACCOUNT, REGION = "123456789012", "ap-southeast-1"
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nkey\n-----END PGP PUBLIC KEY BLOCK-----\n"
# What has no default, by template: a playbook finds it out.
GIVEN = {
    "storage": {
        "ArtifactBucketName": "artifacts",
        "TransferBucketName": "transfer",
        "BackupBucketName": "backup",
    },
    "network": {"S3PrefixListId": "pl-0s3", "WebDBImageId": "ami-0"},
    "warehouse": {"ImageId": "ami-0", "AgentSha256": "0" * 64, "PackageKey": KEY},
    "etl": {
        "CodeKey": f"lambda/{'0' * 64}.zip",
        "DwhHost": "10.0.128.10",
        "LoaderSecretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:loader",
        "LoaderSecretVersionId": "1",
    },
}


def deployed(
    name: str,
    *,
    renamed: frozenset[str] = frozenset(),
    environment: str = "sbw",
    **parameters: Any,
) -> dict[str, Any]:
    """Return a template's resources as they would be made, by logical id.

    A reference to a resource is its logical id, an attribute `<logical id>.<attribute>`, an import
    the value that the exporting template has there. Those `renamed` have other ids; the stacks' names
    begin with `environment`.
    """
    evaluator = _evaluator(name, parameters, renamed, environment)
    return {
        key: evaluator.value({"Type": value["Type"], **value.get("Properties", {})})
        for key, value in template(name)["Resources"].items()
        if "Condition" not in value or evaluator.condition(value["Condition"])
    }


def exported(name: str, environment: str) -> set[str]:
    """Return the names that a stack of a template exports."""
    evaluator = _evaluator(name, {}, environment=environment)
    outputs = template(name)["Outputs"].values()
    return {str(evaluator.value(one["Export"]["Name"])) for one in outputs if "Export" in one}


def _evaluator(
    name: str,
    parameters: dict[str, Any],
    renamed: frozenset[str] = frozenset(),
    environment: str = "sbw",
) -> Evaluator:
    def id_of(resource: str) -> str:
        return f"{resource} anew" if resource in renamed else resource

    declared = template(name)["Parameters"]
    known = {key: value["Default"] for key, value in declared.items() if "Default" in value}
    unknown = set(parameters) - set(declared)
    assert not unknown, f"{name} has no parameter {unknown}"
    pseudo = {
        "AWS::AccountId": ACCOUNT,
        "AWS::Region": REGION,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": f"{environment}-{name}",
        "AWS::NoValue": NO_VALUE,
    }
    return Evaluator(
        template(name),
        {**known, **GIVEN[name], **parameters},
        pseudo,
        reference=id_of,
        attribute=lambda resource, attribute: f"{id_of(resource)}.{attribute}",
        export=_export,
    )


def _export(wanted: str) -> str:
    """Return what a stack exports; one of another environment than the default, with that before it."""
    environment, name, output = wanted.rsplit("-", 2)
    value = str(_evaluator(name, {}).value(template(name)["Outputs"][output]["Value"]))
    return value if environment == "sbw" else f"{environment}'s {value}"
