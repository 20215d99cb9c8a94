#!/usr/bin/env python3
"""Invoke a function and print what it answered, which needs the right to invoke it and no other.

    invoke_function.py --function NAME [--region REGION] [--payload JSON]

amazon.aws's module reads the function's configuration first, and with it the password that stands there.
Exits with 1 when the function could not be called or failed.
"""

from __future__ import annotations

import argparse
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# Longer than a function may run; botocore would start it a second time after one minute.
WAIT = Config(read_timeout=960, retries={"total_max_attempts": 1})


def main() -> None:
    """Call it once."""
    parser = argparse.ArgumentParser(description="Invoke a function and print its answer.")
    parser.add_argument("--function", required=True, help="name of the function")
    parser.add_argument("--region", default=None, help="AWS region")
    parser.add_argument("--payload", default="{}", help="JSON that it gets")
    arguments = parser.parse_args()
    client = boto3.client("lambda", region_name=arguments.region, config=WAIT)
    try:
        answer = client.invoke(FunctionName=arguments.function, Payload=arguments.payload.encode())
        body = answer["Payload"].read().decode()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"invoke_function: {error}")
    print(body)
    if "FunctionError" in answer:
        sys.exit(f"invoke_function: {arguments.function} failed: {answer['FunctionError']}")


if __name__ == "__main__":
    main()
