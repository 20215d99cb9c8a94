"""Two environments by name in one account and region: nothing that has a name is the other's as well.

The parameters are what the playbooks and the inventory's settings make of `sbw_stack_prefix`; the second
environment's further ones are those of the documents.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import jinja2
import pytest
import yaml
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.template import deployment
from tests.template.deployment import ACCOUNT, REGION, deployed, exported
from tests.template.templates import NAMES, REPOSITORY, template, values

FIRST, SECOND = "sbw", "staging"
# Options that make more things with names.
EVERYTHING = {"network": {"FlowLogs": "true"}, "etl": {"AlarmEmail": "op@shop.invalid"}}
# Names that are unique in a VPC only, and each environment has its own.
OF_A_VPC = {"AWS::EC2::SecurityGroup"}
# Names that AWS gives.
OF_AWS = {("AWS::EC2::VPCEndpoint", "ServiceName")}
Named = tuple[str, str, str]


def settings(environment: str) -> dict[str, Any]:
    """Return the inventory's settings, with another prefix."""
    loaded = yaml.safe_load((REPOSITORY / "inventory/settings.yml").read_text())
    return {
        **loaded["all"]["vars"],
        "sbw_account_id": ACCOUNT,
        "sbw_stack_prefix": environment,
    }


def rendered(value: Any, known: dict[str, Any]) -> Any:
    """Return a value of a playbook; raises jinja2.TemplateError where it asks AWS."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)  # noqa: S701 - no HTML
    environment.filters["bool"] = bool
    while isinstance(value, str) and "{{" in value:
        value = environment.from_string(value).render(known)
    return value


def told(name: str, environment: str) -> dict[str, Any]:
    """Return what the playbook of a stack tells its template, as far as that asks nobody."""
    plays = yaml.safe_load((REPOSITORY / f"playbooks/{name}.yml").read_text())
    (parameters,) = [
        task["vars"]["sbw_template_parameters"]
        for play in plays
        for task in play["tasks"]
        if task.get("vars", {}).get("sbw_stack") == name
    ]
    found = {}
    for parameter, value in parameters.items():
        try:
            found[parameter] = rendered(value, settings(environment))
        except jinja2.TemplateError:
            continue  # known to AWS alone
    return found


def documented() -> dict[str, dict[str, Any]]:
    """Return the parameters that the documents give the second environment."""
    text = (REPOSITORY / "docs/operations.md").read_text()
    section = text.split("## A second environment")[1].split("\n## ")[0]
    (block,) = re.findall(r"^    sbw_stack_parameters:\n(?:    .*\n)+", section, re.MULTILINE)
    return dict(yaml.safe_load(block)["sbw_stack_parameters"])


def names(environment: str, further: dict[str, dict[str, Any]]) -> Iterator[Named]:
    """Yield type, property and name of all that gets its name from the templates."""
    for name in NAMES:
        given = {**EVERYTHING.get(name, {}), **told(name, environment), **further.get(name, {})}
        # Resources have ids of their own in each environment.
        anew = frozenset(deployed(name, **given)) if environment != FIRST else frozenset()
        stack = deployed(name, environment=environment, renamed=anew, **given)
        for resource in stack.values():
            kind = resource["Type"]
            schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
            paths = [*schema.get("createOnlyProperties", []), *schema["primaryIdentifier"]]
            for wanted in {path.removeprefix("/properties/") for path in paths}:
                if kind in OF_A_VPC or (kind, wanted) in OF_AWS:
                    continue
                if wanted.endswith("Name") and wanted in resource:
                    yield kind, wanted, str(resource[wanted])
        yield from (("export", "Name", one) for one in exported(name, environment))


def test_what_has_a_name_is_looked_at() -> None:
    assert {(kind, name) for kind, _, name in names(FIRST, {}) if kind != "export"} >= {
        ("AWS::S3::Bucket", f"sbw-artifacts-{ACCOUNT}"),
        ("AWS::S3::Bucket", f"sbw-backup-{ACCOUNT}"),
        ("AWS::Lambda::Function", "SBW_Lamda_ETL"),
        ("AWS::Logs::LogGroup", "/aws/lambda/SBW_Lamda_ETL"),
        ("AWS::Logs::LogGroup", "/aws/vpc/sbw-network"),
        ("AWS::Events::Rule", "SBW_ETL_HOURLY_RULE"),
        ("AWS::CloudWatch::Dashboard", "sbw-etl-loader"),
    }


def test_no_name_is_of_two_environments() -> None:
    both = set(names(FIRST, {})) & set(names(SECOND, documented()))
    assert both == set()


@pytest.mark.parametrize(
    ("name", "section", "key", "value"),
    [
        ("etl", "Resources", "Dashboard", {"DashboardName": "loader"}),
        ("etl", "Resources", "AlarmTopic", {"TopicName": "alarms"}),
        ("etl", "Resources", "NotLoadedAlarm", {"AlarmName": "not-loaded"}),
        ("warehouse", "Resources", "SessionDocument", {"Name": "dashboard"}),
        ("warehouse", "Resources", "LoaderSecret", {"Name": "loader"}),
        ("warehouse", "Resources", "AnalystPolicy", {"ManagedPolicyName": "analyst"}),
        ("network", "Resources", "FlowLogGroup", {"LogGroupName": "/aws/vpc"}),
        ("storage", "Outputs", "RawBucket", "raw-bucket"),
    ],
)
def test_a_name_of_its_own_in_a_template_is_seen(
    monkeypatch: pytest.MonkeyPatch, name: str, section: str, key: str, value: Any
) -> None:
    broken = copy.deepcopy(template(name))
    if section == "Outputs":
        broken[section][key]["Export"]["Name"] = value
    else:
        broken[section][key]["Properties"].update(value)
    monkeypatch.setattr(
        deployment, "template", lambda one: broken if one == name else template(one)
    )
    assert len(set(names(FIRST, {})) & set(names(SECOND, documented()))) == 1


def test_what_the_documents_have_one_name_is_what_would_be_the_others() -> None:
    both = {kind for kind, _, _ in set(names(FIRST, {})) & set(names(SECOND, {}))}
    assert both == {"AWS::Lambda::Function", "AWS::Logs::LogGroup", "AWS::Events::Rule"}
    assert set(documented()) == {"etl"}
    assert set(documented()["etl"]) == {"FunctionName", "RuleName"}


@pytest.mark.parametrize("name", NAMES)
def test_stacks_import_and_name_their_own_environments_alone(name: str) -> None:
    given = {**EVERYTHING.get(name, {}), **told(name, SECOND), **documented().get(name, {})}
    stack = deployed(name, environment=SECOND, **given)
    words = "\n".join(str(value) for value in values(stack))
    assert not re.findall(r"\bsbw-[a-z]+\b", words)


def test_the_second_environments_volume_and_host_are_told_by_tags_of_its_own() -> None:
    tags = [
        {
            tag["Key"]: tag["Value"]
            for tag in deployed(
                "warehouse", environment=environment, **told("warehouse", environment)
            )[resource]["Tags"]
        }
        for resource, environment in (
            ("Instance", FIRST),
            ("Instance", SECOND),
            ("DataVolume", FIRST),
            ("DataVolume", SECOND),
        )
    ]
    assert [one.get("Environment") for one in tags[:2]] == [FIRST, SECOND]
    assert [one["SnapshotsBy"] for one in tags[2:]] == ["sbw-warehouse", "staging-warehouse"]
