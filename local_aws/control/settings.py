"""What the control plane is told, and the identity that the miniature uses."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ACCOUNT = "123456789012"
REGION = "ap-southeast-1"
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "miniature"  # noqa: S105 (checked by nobody: the miniature listens on loopback alone)


@dataclass(frozen=True)
class Settings:
    """Where to listen, where to keep things, and where the sessions process is."""

    state: Path
    port: int
    inside_port: int = 0
    sessions_url: str = ""
    clock_period: float | None = None
    region: str = REGION
    account: str = ACCOUNT

    @property
    def endpoint(self) -> str:
        """Return the control plane's own address."""
        return f"http://127.0.0.1:{self.port}"
