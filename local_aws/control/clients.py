"""boto3 clients of the miniature itself."""

from __future__ import annotations

import threading
from typing import Any

import boto3
from botocore.config import Config

from local_aws.control.settings import ACCESS_KEY, SECRET_KEY


class Clients:
    """One boto3 client for each service; clients are shared by threads, as boto3 allows."""

    def __init__(self, endpoint: str, region: str) -> None:
        self.endpoint = endpoint
        self.region = region
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._session = boto3.Session(
            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY, region_name=region
        )

    def __call__(self, service: str) -> Any:
        """Return the client of a service."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(  # type: ignore[call-overload]
                    service,
                    endpoint_url=self.endpoint,
                    config=Config(
                        retries={"mode": "standard", "total_max_attempts": 1},
                        s3={"addressing_style": "path"},
                        proxies={},
                        read_timeout=900,
                        max_pool_connections=20,
                    ),
                )
            return self._clients[service]
