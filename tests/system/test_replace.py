"""Another instance takes the place of the warehouse's: what lies on its volume stays, its address too."""

from __future__ import annotations

import json
import time
import uuid

from tests.system.conftest import Running
from tests.system.test_teardown import make

BUCKET = "clickstream-s3-ingest"
COUNT = "SELECT count(*) FROM clickstream_events"


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
