"""Functions, their events and the clock, put together for the control plane."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from local_aws.clock import Clock
from local_aws.control.identity import role_key
from local_aws.control.server import Request, Response
from local_aws.control.settings import SECRET_KEY, Settings
from local_aws.lambda_runtime.environment import Environment, LogFile
from local_aws.lambda_runtime.manager import Manager
from local_aws.lambda_runtime.model import Function
from local_aws.lambda_runtime.service import LambdaService, Registry

log = logging.getLogger(__name__)

HOUR = 3600.0


class Functions:
    """Lambda and EventBridge's clock."""

    def __init__(
        self,
        settings: Settings,
        aws: Callable[[str], Any],
        moto: Callable[[Request], Response],
    ) -> None:
        self.settings = settings
        self.aws = aws
        self.registry = Registry(settings.region, settings.account)
        self._containers: Any = None
        self._lock = threading.Lock()
        # A clock that runs faster than the rule's hour has its retries run faster alike.
        speed = (settings.clock_period or HOUR) / HOUR
        self.manager = Manager(
            self.registry.find,
            self._make,
            settings.state / "logs",
            self.registry.settings,
            self._deliver,
            retry_seconds=max(1.0, min(60.0, 60.0 * speed)),
        )
        self.service = LambdaService(self.manager, moto)
        self.clock = Clock(
            aws, self._fire, settings.region, settings.account, settings.clock_period
        )

    def start(self) -> None:
        """Start the clock."""
        threading.Thread(target=self.clock.run, name="clock", daemon=True).start()

    def close(self) -> None:
        """Stop the clock and end every environment."""
        self.clock.stop()
        self.manager.close()

    def _make(self, function: Function, log_file: LogFile) -> Environment:
        with self._lock:
            if self._containers is None:
                from local_aws.lambda_runtime.container import Containers
                from local_aws.paths import State

                self._containers = Containers(
                    State.at(self.settings.state),
                    self.aws,
                    self.registry.code,
                    self.settings.region,
                    _credentials,
                )
        made: Environment = self._containers.make(function, log_file)
        return made

    def _fire(self, arn: str, event: str) -> None:
        if ":lambda:" in arn:
            self.manager.submit(arn, event.encode())
        else:
            self._deliver(arn, event)

    def _deliver(self, arn: str, record: str) -> None:
        """Send a record to a queue, or as an event to another function."""
        service = arn.split(":")[2]
        if service == "sqs":
            sqs = self.aws("sqs")
            url = sqs.get_queue_url(QueueName=arn.rsplit(":", 1)[1])["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody=record)
        elif service == "lambda":
            self.manager.submit(arn, record.encode())
        elif service == "sns":
            self.aws("sns").publish(TopicArn=arn, Message=record)
        else:
            raise ValueError(f"destination {arn} is not supported by the miniature")


def _credentials(role: str) -> dict[str, str]:
    """Return the variables by which a function calls as its role."""
    return {
        "AWS_ACCESS_KEY_ID": role_key(role),
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_SESSION_TOKEN": SECRET_KEY,
    }
