"""The promises of the function: its environment, its rights, its rule and what tells of failure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from etl_lambda.metrics import emf
from etl_lambda.settings import Settings
from etl_lambda.stages import STAGES
from tests.template.deployment import deployed
from tests.template.templates import REPOSITORY, resources, statement, template
from tests.unit import scripts

ENI = [
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
]


def function() -> dict[str, Any]:
    return dict(resources("etl")["Function"]["Properties"])


def policy() -> dict[str, Any]:
    (only,) = resources("etl")["FunctionRole"]["Properties"]["Policies"]
    return dict(only["PolicyDocument"])


def resolved(field: str) -> dict[str, str]:
    return {
        "Fn::Sub": "{{resolve:secretsmanager:${LoaderSecretArn}:SecretString:"
        + field
        + "::${LoaderSecretVersionId}}}"
    }


def test_the_function_knows_the_warehouse_by_its_environment() -> None:
    assert function()["Environment"]["Variables"] == {
        "DWH_HOST": {"Ref": "DwhHost"},
        "DWH_PORT": {"Ref": "DwhPort"},
        "DWH_DATABASE": {"Ref": "DwhDatabase"},
        "DWH_USER": resolved("username"),
        "DWH_PASSWORD": resolved("password"),
        "RAW_BUCKET": {"Fn::ImportValue": {"Fn::Sub": "${StorageStackName}-RawBucket"}},
        "ETL_ERROR_BUDGET": {"Ref": "ErrorBudget"},
    }


def test_a_new_password_needs_a_new_version_id() -> None:
    assert "Default" not in template("etl")["Parameters"]["LoaderSecretVersionId"]


def test_the_function_is_python_of_the_wheels_that_it_carries() -> None:
    assert function()["Runtime"] == "python3.13"
    builder = scripts.load(REPOSITORY / "playbooks/files/build_lambda_zip.py")
    architecture = template("etl")["Parameters"]["Architecture"]
    assert set(architecture["AllowedValues"]) == set(builder.MACHINES)
    assert function()["Architectures"] == [{"Ref": "Architecture"}]
    assert architecture["Default"] == "x86_64"
    assert function()["Handler"] == "etl_lambda.handler.handler"


def test_the_code_is_named_by_its_contents() -> None:
    assert function()["Code"] == {
        "S3Bucket": {"Fn::ImportValue": {"Fn::Sub": "${StorageStackName}-ArtifactBucket"}},
        "S3Key": {"Ref": "CodeKey"},
    }
    assert template("etl")["Parameters"]["CodeKey"]["AllowedPattern"] == r"lambda/[0-9a-f]{64}\.zip"


def test_the_function_runs_in_the_private_subnet() -> None:
    assert function()["VpcConfig"] == {
        "SubnetIds": [{"Fn::ImportValue": {"Fn::Sub": "${NetworkStackName}-PrivateSubnet"}}],
        "SecurityGroupIds": [
            {"Fn::ImportValue": {"Fn::Sub": "${NetworkStackName}-LambdaSecurityGroup"}}
        ],
    }


def test_no_concurrency_is_reserved_unless_asked_for() -> None:
    assert function()["ReservedConcurrentExecutions"] == {
        "Fn::If": ["ReservesConcurrency", {"Ref": "ReservedConcurrency"}, {"Ref": "AWS::NoValue"}]
    }
    assert template("etl")["Parameters"]["ReservedConcurrency"]["Default"] == 0
    assert template("etl")["Conditions"]["ReservesConcurrency"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "ReservedConcurrency"}, "0"]}]
    }


def test_the_functions_rights_are_these_and_no_more() -> None:
    allowed = [
        (item["Sid"], item["Action"]) for item in policy()["Statement"] if item["Effect"] == "Allow"
    ]
    assert allowed == [
        ("ListRawEvents", "s3:ListBucket"),
        ("ReadRawEvents", "s3:GetObject"),
        ("OwnLog", ["logs:CreateLogStream", "logs:PutLogEvents"]),
        ("FailedInvocations", "sqs:SendMessage"),
        ("NetworkInterfaces", ENI),
    ]
    assert "ManagedPolicyArns" not in resources("etl")["FunctionRole"]["Properties"]


def test_network_interfaces_are_denied_to_the_functions_own_code() -> None:
    denied = statement(policy(), "NotFromTheCodeItself")
    assert (denied["Effect"], denied["Action"], denied["Resource"]) == ("Deny", ENI, "*")
    assert denied["Condition"] == {
        "ArnEquals": {
            "lambda:SourceFunctionArn": {
                "Fn::Sub": "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:"
                "${FunctionName}"
            }
        }
    }


def test_the_rule_is_off_until_the_deployment_says_so() -> None:
    rule = resources("etl")["HourlyRule"]["Properties"]
    assert rule["State"] == {"Fn::If": ["RuleRuns", "ENABLED", "DISABLED"]}
    assert rule["Targets"] == [{"Id": "loader", "Arn": {"Fn::GetAtt": ["Function", "Arn"]}}]
    assert template("etl")["Conditions"]["RuleRuns"] == {
        "Fn::Equals": [{"Ref": "RuleEnabled"}, "true"]
    }


def test_only_this_rule_may_start_the_function() -> None:
    (permission,) = resources("etl", "AWS::Lambda::Permission").values()
    assert permission["Properties"]["Principal"] == "events.amazonaws.com"
    assert permission["Properties"]["SourceArn"] == {"Fn::GetAtt": ["HourlyRule", "Arn"]}


def test_what_fails_for_good_lands_in_the_queue() -> None:
    config = resources("etl")["FunctionInvocations"]["Properties"]
    assert config["MaximumRetryAttempts"] == 2
    assert config["MaximumEventAgeInSeconds"] == 6 * 3600
    assert config["DestinationConfig"] == {
        "OnFailure": {"Destination": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}}
    }


def watched(alarm: dict[str, Any]) -> dict[str, Any]:
    """Return the one metric that an alarm watches, by itself or in an expression."""
    if "Metrics" not in alarm["Properties"]:
        return dict(alarm["Properties"])
    (metric,) = [one["MetricStat"] for one in alarm["Properties"]["Metrics"] if "MetricStat" in one]
    return dict(metric["Metric"])


def test_alarms_tell_of_errors_silence_backlog_bad_records_and_what_failed_for_good() -> None:
    alarms = {
        key: (watched(value)["Namespace"], watched(value)["MetricName"])
        for key, value in resources("etl", "AWS::CloudWatch::Alarm").items()
    }
    assert alarms == {
        "FunctionErrorsAlarm": ("AWS/Lambda", "Errors"),
        "ThrottlesAlarm": ("AWS/Lambda", "Throttles"),
        "NotLoadedAlarm": ("SBW/Loader", "NotLoaded"),
        "ObjectsPendingAlarm": ("SBW/Loader", "ObjectsRemaining"),
        "OverErrorBudgetAlarm": ("SBW/Loader", "OverErrorBudget"),
        "WarehouseDiskAlarm": ("SBW/Loader", "WarehouseDiskUsedPercent"),
        "BackupAgeAlarm": ("AWS/EBS", "SnapshotsCreateCompleted"),
        "DeadLetterAlarm": ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
    }
    assert resources("etl")["NotLoadedAlarm"]["Properties"]["TreatMissingData"] == "breaching"


def test_one_run_that_finds_a_disk_full_alarms_and_so_does_none_that_looks() -> None:
    alarm = deployed("etl", DiskThreshold=70)["WarehouseDiskAlarm"]
    assert alarm["Statistic"] == "Maximum"
    # Several runs of the rule, of which one is enough.
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (3 * 3600, 1)
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 70)
    assert alarm["TreatMissingData"] == "breaching"
    assert deployed("etl")["WarehouseDiskAlarm"]["Threshold"] == 80


def test_silence_is_no_alarm_of_the_disk_while_the_rule_rests() -> None:
    alarm = "WarehouseDiskAlarm"
    assert deployed("etl", RuleEnabled="false")[alarm]["ActionsEnabled"] is False
    assert deployed("etl", RuleEnabled="true")[alarm]["ActionsEnabled"] is True


def test_as_many_hours_without_a_snapshot_as_the_parameter_says_alarm() -> None:
    alarm = deployed("etl", SnapshotPolicyId="policy-0", BackupMaxAge=48)["BackupAgeAlarm"]
    snapshots, hourly = alarm["Metrics"]
    assert (snapshots["MetricStat"]["Period"], snapshots["MetricStat"]["Stat"]) == (3600, "Sum")
    assert snapshots["MetricStat"]["Metric"]["Dimensions"] == [
        {"Name": "DLMPolicyId", "Value": "policy-0"}
    ]
    assert (snapshots["ReturnData"], hourly["ReturnData"]) == (False, True)
    # An hour without a snapshot counts as one, and is not looked past.
    assert hourly["Expression"] == f"FILL({snapshots['Id']}, 0)"
    assert alarm["EvaluationPeriods"] == 48
    assert "DatapointsToAlarm" not in alarm
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert alarm["TreatMissingData"] == "breaching"


def test_the_age_of_a_backup_is_what_cloudwatch_can_look_back_and_a_day_can_keep() -> None:
    age = template("etl")["Parameters"]["BackupMaxAge"]
    # A snapshot a day begins within an hour of its time. CloudWatch's alarms look back seven days.
    assert age["MinValue"] > 25
    assert age["MaxValue"] * 3600 == 7 * 86400
    assert age["Default"] == 30


def directive_of_a_run() -> dict[str, Any]:
    """Return the metrics' directive of a run that came to know everything."""
    stages = dict.fromkeys(STAGES, 0.0)
    reply = {"result": "loaded", "lag_seconds": 0.0, "error_budget": {"over": False}}
    line = emf({**reply, "stages": stages, "disks": {"/": 1.0}}, "SBW_Lamda_ETL", 0.0)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    return dict(directive)


def written() -> set[str]:
    return {metric["Name"] for metric in directive_of_a_run()["Metrics"]}


def test_the_loaders_own_alarms_watch_metrics_that_it_writes() -> None:
    directive = directive_of_a_run()
    own = {
        watched(value)["MetricName"]: watched(value)["Dimensions"]
        for value in resources("etl", "AWS::CloudWatch::Alarm").values()
        if watched(value)["Namespace"] == directive["Namespace"]
    }
    assert set(own) <= written()
    assert directive["Dimensions"] == [["Function"]]
    function = {"Name": "Function", "Value": {"Ref": "Function"}}
    assert own == {
        "NotLoaded": [function],
        "ObjectsRemaining": [function],
        "OverErrorBudget": [function],
        "WarehouseDiskUsedPercent": [function],
    }


@pytest.mark.parametrize(
    ("given", "told", "made"),
    [
        ({}, None, False),
        ({"AlarmEmail": "op@shop.invalid"}, ["AlarmTopic"], True),
        ({"AlarmTopicArn": "arn:t"}, ["arn:t"], False),
        ({"AlarmTopicArn": "arn:t", "AlarmEmail": "op@shop.invalid"}, ["arn:t"], False),
        ({"AlarmTopicArn": "arn:t", "SnapshotPolicyId": "policy-0"}, ["arn:t"], False),
    ],
)
def test_alarms_are_told_to_the_topic_given_or_to_one_made_for_the_address(
    given: dict[str, Any], told: list[str] | None, made: bool
) -> None:
    stack = deployed("etl", **given)
    alarms = [value for value in stack.values() if value["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(alarms) == (8 if "SnapshotPolicyId" in given else 7)
    assert all(alarm.get("AlarmActions") == told for alarm in alarms)
    assert ("AlarmTopic" in stack) == made
    if made:
        assert stack["AlarmTopic"]["Subscription"] == [
            {"Protocol": "email", "Endpoint": "op@shop.invalid"}
        ]


@pytest.mark.parametrize("policy", ["", "policy-0"], ids=["no snapshots", "snapshots"])
def test_the_dashboard_shows_every_alarm_and_metrics_that_there_are(policy: str) -> None:
    stack = deployed("etl", SnapshotPolicyId=policy)
    widgets = json.loads(stack["Dashboard"]["DashboardBody"])["widgets"]
    alarms = {key for key, value in stack.items() if value["Type"] == "AWS::CloudWatch::Alarm"}
    assert {arn.removesuffix(".Arn") for arn in widgets[0]["properties"]["alarms"]} == alarms
    shown = {
        tuple(metric[:4]) for widget in widgets[1:] for metric in widget["properties"]["metrics"]
    }
    by_us = {metric for metric in shown if metric[0] == "SBW/Loader"}
    assert {metric[1] for metric in by_us} <= written()
    assert {metric[2:] for metric in by_us} == {("Function", "Function")}
    snapshots = {metric for metric in shown if metric[0] == "AWS/EBS"}
    assert snapshots == {
        ("AWS/EBS", f"SnapshotsCreate{what}", "DLMPolicyId", policy)
        for what in ("Completed", "Failed")
        if policy
    }
    assert {metric[:3] for metric in shown - by_us - snapshots} == {
        ("AWS/Lambda", name, "FunctionName") for name in ("Invocations", "Errors", "Throttles")
    }


def test_the_template_and_the_loader_have_the_same_error_budget() -> None:
    assert template("etl")["Parameters"]["ErrorBudget"]["Default"] == Settings.error_budget == 0.01


def test_the_log_is_made_before_the_function_writes_to_it() -> None:
    assert resources("etl")["Function"]["DependsOn"] == "LogGroup"
    assert resources("etl")["LogGroup"]["Properties"]["LogGroupName"] == {
        "Fn::Sub": "/aws/lambda/${FunctionName}"
    }
