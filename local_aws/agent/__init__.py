"""The SSM agent's stand-in: its program, and the builder of its signed Debian package."""

from local_aws.agent.package import AgentPackage, build

__all__ = ["AgentPackage", "build"]
