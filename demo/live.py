"""What the demo asks of AWS once everything is deployed, and the shop that goes on selling."""

from __future__ import annotations

import datetime as dt
import json
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from botocore.config import Config

from demo import bucket, tunnel
from demo.console import DemoError
from demo.objects import Writer
from demo.state import State
from demo.traffic import Shop

RAW_BUCKET = "clickstream-s3-ingest"
FUNCTION = "SBW_Lamda_ETL"
INSTANCE = "SBW_EC2_ShinyDWH"
VISIT_EVERY = 12.0  # seconds between two new visits, on average


def instance_id(aws: Mapping[str, str]) -> str:
    """Return the id of the running warehouse instance; raise DemoError when there is none."""
    answer = tunnel.client("ec2", aws).describe_instances(
        Filters=[
            {"Name": "tag:Name", "Values": [INSTANCE]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ]
    )
    found = [one["InstanceId"] for part in answer["Reservations"] for one in part["Instances"]]
    if len(found) != 1:
        raise DemoError(f"{len(found)} running instances are named {INSTANCE}, one was expected")
    return str(found[0])


def session_document(outputs: Mapping[str, Any]) -> str:
    """Return the name of the analysts' session document among the stacks' outputs."""
    for name, value in outputs.items():
        if name.endswith(".SessionDocument"):
            return str(value)
    raise DemoError("the warehouse stack has no output that names the analysts' session document")


def plugin_path(state: State) -> str:
    """Return the session-manager-plugin that this set-up's inventory names."""
    inventory = yaml.safe_load((state.folder / "inventory.yml").read_text())
    return str(inventory["all"]["vars"]["ansible_aws_ssm_plugin"])


def load(aws: Mapping[str, str], payload: Mapping[str, Any], told: Callable[[str], None]) -> None:
    """Invoke the function with a payload, again while it says `partial` or `busy`.

    Raises DemoError with the function's answer when it fails.
    """
    # Longer than the function may run, and never asked twice behind our back.
    patient = Config(read_timeout=910, retries={"total_max_attempts": 1})
    client = tunnel.client("lambda", aws, patient)
    for attempt in range(1, 1000):
        try:
            answer = client.invoke(FunctionName=FUNCTION, Payload=json.dumps(payload).encode())
        except client.exceptions.TooManyRequestsException:  # as at an account's limit
            told(f"run {attempt}: busy")
            time.sleep(2)
            continue
        reply = json.loads(answer["Payload"].read() or b"null")
        result = (reply or {}).get("result")
        if answer.get("FunctionError") or result == "failed":
            raise DemoError(f"the function failed: {json.dumps(reply)[:600]}")
        if result == "loaded":
            return
        told(f"run {attempt}: {result}")
        time.sleep(2 if result == "busy" else 0)
    raise DemoError("the function did not come to an end in 1,000 runs")


def go_on(aws: Mapping[str, str], seed: int) -> None:
    """Let visits arrive for ever, each event put when it happens (waits are cut to a few seconds)."""
    target = bucket.store(RAW_BUCKET, aws)
    # A seed of its own, so that no event id of the first day comes again.
    shop, writer = Shop(seed + int(time.time())), Writer(int(time.time()))
    pause = random.Random(seed)  # noqa: S311 - a simulation, not a secret
    while True:
        began = dt.datetime.now(dt.UTC)
        for event in shop.session(began):
            now = dt.datetime.now(dt.UTC)
            event["_ingest"]["receivedAt"] = now.isoformat(timespec="milliseconds").replace(
                "+00:00", "Z"
            )
            try:
                bucket.put_all(target, [writer.single(now, event, True)])
            except Exception as error:
                print(f"shop: {error}", flush=True)
            time.sleep(min(3.0, pause.expovariate(1.0)))
        time.sleep(pause.expovariate(1 / VISIT_EVERY))
