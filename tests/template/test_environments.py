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
from moto.moto_api._internal.models import moto_api_backend

from tests.template import deployment
from tests.template.deployment import ACCOUNT, REGION, deployed, exported
from tests.template.templates import NAMES, REPOSITORY, template, values
from tests.template.test_made import make_all
from tests.unit.control_server import RunningPlane, running_plane

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


@pytest.fixture
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlane]:
    """A miniature with the first environment."""
    with running_plane(tmp_path_factory.mktemp("control")) as plane:
        make_all(plane)
        yield plane
        moto_api_backend.reset()


def second(**etl: Any) -> dict[str, dict[str, str]]:
    """Return what the second environment's templates are told."""
    given = {name: told(name, SECOND) for name in NAMES}
    given["network"]["WebDBPresent"] = "false"  # the shop's to take away
    given["etl"] |= etl
    return {name: {key: str(one) for key, one in given[name].items()} for name in NAMES}


def standing(plane: RunningPlane) -> set[str]:
    """Return the names of functions, rules, alarms, dashboards and logs; other tests' are among them."""
    functions = plane.client("lambda").list_functions()["Functions"]
    rules = plane.client("events").list_rules()["Rules"]
    alarms = plane.client("cloudwatch").describe_alarms()["MetricAlarms"]
    dashboards = plane.client("cloudwatch").list_dashboards()["DashboardEntries"]
    logs = plane.client("logs").describe_log_groups()["logGroups"]
    return {
        *(one["FunctionName"] for one in functions),
        *(one["Name"] for one in rules),
        *(one["AlarmName"] for one in alarms),
        *(one["DashboardName"] for one in dashboards),
        *(one["logGroupName"] for one in logs),
    }


def test_both_are_made_in_one_account_and_each_takes_down_its_own(first: RunningPlane) -> None:
    before = standing(first)
    assert {"SBW_Lamda_ETL", "SBW_ETL_HOURLY_RULE"} <= before
    make_all(first, SECOND, second(**documented()["etl"]))
    assert set(documented()["etl"].values()) <= standing(first) - before
    stacks = first.client("cloudformation")
    s3 = first.client("s3")
    for one in s3.list_objects_v2(Bucket=f"staging-artifacts-{ACCOUNT}")["Contents"]:
        s3.delete_object(Bucket=f"staging-artifacts-{ACCOUNT}", Key=one["Key"])
    for name in reversed(NAMES):
        stacks.delete_stack(StackName=f"{SECOND}-{name}")
    left = {one["StackName"]: one["StackStatus"] for one in stacks.describe_stacks()["Stacks"]}
    assert left == {f"{FIRST}-{name}": "CREATE_COMPLETE" for name in NAMES}
    assert standing(first) == before


def test_a_second_function_of_the_same_name_is_refused_and_the_first_one_stays(
    first: RunningPlane,
) -> None:
    before = first.client("lambda").get_function(FunctionName="SBW_Lamda_ETL")["Configuration"]
    with pytest.raises(AssertionError, match=r"already exists"):
        make_all(first, SECOND, second())
    after = first.client("lambda").get_function(FunctionName="SBW_Lamda_ETL")["Configuration"]
    assert after == before


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
