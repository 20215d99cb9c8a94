"""Commands against a deployment that stands, by those who may; the last of them takes it away."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Mapping

import pytest

from demo import stages, tunnel
from tests import toolbox
from tests.system.conftest import STATE, People, Running

BUCKET = "clickstream-s3-ingest"
COUNT = "SELECT count(*) FROM clickstream_events"
ERASED = r"c-gone's $x \ 'Hà'"
# What of it is the same however it is escaped.
HIDDEN = "c-gone's"
LATE = "5b1f0a6e-6d3c-4d0a-9a57-0c3f7f4f2a11"


def make(
    target: str, *more: str, who: Mapping[str, str] | None = None, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of the Makefile, the miniature in the place of AWS, as the account or as `who`."""
    keys = {key: value for key, value in (who or {}).items() if "KEY" in key}
    arguments = " ".join(["-i demo/inventory.yml", *more])
    # The operator is not inside another make, as these tests are: it would name its folders.
    inherited = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    return subprocess.run(
        [
            *(".venv/bin/python", "-m", "local_aws", "exec", "--state", str(STATE), "--"),
            *("env", *(f"{key}={value}" for key, value in keys.items())),
            *("make", target, f"INVENTORY={STATE}/inventory.yml", f"ARGS={arguments}"),
            f"PORT={toolbox.free_port()}",
            *(f"{name}={value}" for name, value in settings.items()),
        ],
        cwd=toolbox.REPOSITORY,
        env={name: value for name, value in os.environ.items() if name not in inherited},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_make_verify_finds_all_well_and_changes_nothing(people: People) -> None:
    done = make("verify", who=people["operator"])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout.count("changed=0") == 2


def test_make_dashboard_opens_the_page_and_closes_the_tunnel(demo: Running, people: People) -> None:
    before = demo.client("ssm").describe_sessions(State="Active")["Sessions"]
    done = make("dashboard", who=people["analyst"])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Wait for the page" in done.stdout
    after = demo.client("ssm").describe_sessions(State="Active")["Sessions"]
    assert {one["SessionId"] for one in after} <= {one["SessionId"] for one in before}
    # The demo's own tunnel is another one, and stands.
    with urllib.request.urlopen(f"http://127.0.0.1:{demo.port}/sbw_dashboard/") as answer:
        assert answer.status == 200


def test_make_replace_keeps_data_and_address_and_loads_on(demo: Running) -> None:
    before = demo.outputs("warehouse")
    events = demo.sql(COUNT)
    identifier = demo.sql("SELECT to_json(system_identifier::text) FROM pg_control_system()")
    done = make("replace")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-3000:]
    after = demo.outputs("warehouse")
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert changed == {"InstanceId"}
    assert f"has taken the place of {before['InstanceId']}" in " ".join(done.stdout.split())
    states = {
        one["InstanceId"]: one["State"]["Name"]
        for reservation in demo.client("ec2").describe_instances()["Reservations"]
        for one in reservation["Instances"]
        if one["InstanceId"] in (before["InstanceId"], after["InstanceId"])
    }
    assert states.pop(after["InstanceId"]) == "running"
    assert set(states.values()) <= {"terminated"}
    assert demo.sql(COUNT) >= events
    assert identifier == demo.sql(
        "SELECT to_json(system_identifier::text) FROM pg_control_system()"
    )
    # The demo's own tunnel leads to the new one, without being told.
    tunnel.wait_for_page(demo.port, stages.PAGE, 120, demo.state.logs / "tunnel.log")
    # The rule runs again, by the address that the function has had all the time.
    (rule,) = demo.client("events").list_rules()["Rules"]
    assert rule["State"] == "ENABLED"
    number = str(uuid.uuid4())
    event = {"eventName": "home_view", "eventId": number, "clientId": "c-after", "sessionId": "s-a"}
    key = time.strftime(f"events/%Y/%m/%d/%H/event-{number}.json", time.gmtime())
    demo.client("s3").put_object(Bucket=BUCKET, Key=key, Body=json.dumps(event).encode())
    until = time.monotonic() + 180
    while not demo.sql(f"{COUNT} WHERE event_id = '{number}'"):
        assert time.monotonic() < until, "the rule's runs do not load any more"
        time.sleep(2)


def test_make_backfill_loads_what_arrived_late_under_an_old_hour(
    demo: Running, people: People
) -> None:
    event = {"eventName": "home_view", "eventId": LATE, "clientId": "c-back", "sessionId": "s-back"}
    key = "events/2021/02/03/04/event-late.json"
    demo.client("s3").put_object(Bucket=BUCKET, Key=key, Body=json.dumps(event).encode())
    done = make("backfill", who=people["operator"], FROM="2021-02-01", TO="2021-03-01")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1])["result"] == "loaded"
    assert demo.sql(f"SELECT count(*) FROM clickstream_events WHERE event_id = '{LATE}'") == 1


def _event(number: int, client: str) -> dict[str, str]:
    return {
        "eventName": "home_view",
        "eventId": str(uuid.UUID(int=number)),
        "clientId": client,
        "timestamp": "2021-02-03T05:00:00Z",
    }


def test_make_erase_takes_a_visitor_out_of_everything(demo: Running, people: People) -> None:
    key = "events/2021/02/03/05/event-shared.ndjson"
    lines = [_event(1, ERASED), _event(2, "c-gone-2"), _event(3, ERASED)]
    text = [json.dumps(one, ensure_ascii=False) for one in lines]
    # In quarantine, and named there.
    body = "\n".join([*text, text[0].removesuffix("}")]) + "\n"
    s3 = demo.client("s3")
    s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode())
    assert make("backfill", FROM="2021-02-01", TO="2021-03-01").returncode == 0
    count = "SELECT count(*) FROM clickstream_events WHERE event_timestamp < '2022-01-01'"
    assert demo.sql(count) == 3
    asked = make("erase", who=people["operator"], CLIENT_ID=ERASED, DRY_RUN="1")
    assert asked.returncode == 0, asked.stdout[-3000:] + asked.stderr[-3000:]
    told = json.loads(asked.stdout.split("It would be: ")[1].split("}")[0].replace("\n", " ") + "}")
    assert (told["events"], told["visitors"], told["accounts"]) == (2, 1, 0)
    assert demo.sql(count) == 3
    done = make("erase", who=people["operator"], CLIENT_ID=ERASED)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Raw objects: 0 deleted, 1 rewritten, 0 held nothing any more, 0 left." in done.stdout
    assert demo.sql(count) == 1
    assert demo.sql("SELECT count(*) FROM etl.erased_copies") == 0
    assert (
        demo.sql(f"SELECT to_json(status) FROM etl.newest_objects WHERE object_key = '{key}'")
        == "loaded"
    )
    left = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
    assert json.loads(left) == lines[1]
    [receipt] = s3.list_objects_v2(Bucket=_backup_bucket(demo), Prefix="erasures/")["Contents"]
    told = s3.get_object(Bucket=_backup_bucket(demo), Key=receipt["Key"])["Body"].read().decode()
    counts = json.loads(told)["counts"]
    assert (counts["events"], counts["quarantine_samples"]) == (2, 1)
    assert HIDDEN not in done.stdout + done.stderr + told
    for where in ("/var/log", "/run/log", "/tmp"):
        assert demo.on_host("sh", "-c", f'grep -rl "{HIDDEN}" {where} || true') == ""


def test_make_replay_erasures_erases_who_was_revived(demo: Running, people: People) -> None:
    # As a restore does: the warehouse has the events and knows of no erasure.
    demo.sql(
        "WITH forgotten AS (DELETE FROM etl.tombstones), erased AS (DELETE FROM etl.erased_events),"
        " receipts AS (DELETE FROM etl.erasures) SELECT 1"
    )
    key = "events/2021/02/03/06/event-again.json"
    body = json.dumps(_event(9, ERASED)).encode()
    demo.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)
    assert make("backfill", FROM="2021-02-01", TO="2021-03-01").returncode == 0
    count = f"SELECT count(*) FROM etl.event_facts WHERE event_id = '{uuid.UUID(int=9)}'"
    assert demo.sql(count) == 1
    done = make("replay-erasures", who=people["operator"])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert demo.sql(count) == 0
    assert "Raw objects: 1 deleted" in done.stdout


# Rights that nothing here has used, and what they are for.
UNUSED = {
    "operator": {
        "ssm:DescribeInstanceInformation": "a look at Session Manager's console",
        "ssm:ResumeSession": "a connection that was lost",
        "cloudwatch:DescribeAlarms": "a look at what is wrong",
        "cloudwatch:GetMetricData": "the dashboard of CloudWatch",
        "events:DisableRule": "stopping the rule by hand",
        "events:EnableRule": "starting it again",
        "logs:FilterLogEvents": "reading the function's log",
        "logs:GetLogEvents": "the same",
        "secretsmanager:GetSecretValue": "configure.yml",
        "s3:DeleteObjectVersion": "a raw bucket with versions",
        "s3:GetObjectVersion": "the same",
        "s3:GetObjectVersionTagging": "the same",
        "s3:ListBucketVersions": "the same",
        "s3:GetObjectTagging": "raw objects with tags",
        "s3:PutObjectTagging": "the same",
        "sqs:DeleteMessage": "taking failed invocations",
        "sqs:GetQueueAttributes": "the same",
        "sqs:GetQueueUrl": "the same",
        "sqs:ReceiveMessage": "the same",
    },
    "analyst": {
        "ssm:DescribeInstanceInformation": "a look at Session Manager's console",
        "ssm:ResumeSession": "a connection that was lost",
        "ssm:TerminateSession": "ending a session from the console",
    },
}


@pytest.mark.parametrize("who", UNUSED)
def test_every_right_was_used_or_has_its_reason(demo: Running, people: People, who: str) -> None:
    assert people
    iam = demo.client("iam")
    (attached,) = iam.list_attached_user_policies(UserName=who)["AttachedPolicies"]
    version = iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId="v1")
    declared: set[str] = set()
    for statement in version["PolicyVersion"]["Document"]["Statement"]:
        actions = statement["Action"]
        declared |= {actions} if isinstance(actions, str) else set(actions)
    lines = (STATE / "logs/rights-used.log").read_text().splitlines()
    used = {
        one["action"] for one in map(json.loads, lines) if one["principal"].endswith(f":user/{who}")
    }
    # Some are used when other tests run before.
    assert declared - used <= set(UNUSED[who])


def test_make_destroy_asks_to_be_meant(demo: Running) -> None:
    done = make("destroy")
    assert done.returncode != 0
    assert "If you mean it, add: -e sbw_destroy=sbw" in done.stdout
    assert len(_stacks(demo)) == 4


def test_make_destroy_keeps_the_raw_data_and_a_snapshot(demo: Running) -> None:
    resources = demo.client("cloudformation").describe_stack_resources(StackName="sbw-warehouse")
    volumes = [
        one["PhysicalResourceId"]
        for one in resources["StackResources"]
        if one["ResourceType"] == "AWS::EC2::Volume"
    ]
    assert len(volumes) == 1
    done = make("destroy", "-e sbw_destroy=sbw")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert _stacks(demo) == []
    ec2, s3 = demo.client("ec2"), demo.client("s3")
    snapshots = ec2.describe_snapshots(Filters=[{"Name": "volume-id", "Values": volumes}])[
        "Snapshots"
    ]
    assert len(snapshots) == 1
    assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == {
        BUCKET,
        _backup_bucket(demo),
    }
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix="events/")["KeyCount"] == 1000


def _backup_bucket(demo: Running) -> str:
    buckets = demo.client("s3").list_buckets()["Buckets"]
    (name,) = [bucket["Name"] for bucket in buckets if "backup" in bucket["Name"]]
    return str(name)


def _stacks(demo: Running) -> list[str]:
    found = demo.client("cloudformation").describe_stacks()["Stacks"]
    return [stack["StackName"] for stack in found]
