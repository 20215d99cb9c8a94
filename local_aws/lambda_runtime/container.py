"""A runtime client in a container of the function's subnet."""

from __future__ import annotations

import contextlib
import logging
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from local_aws import image
from local_aws.lambda_runtime import client
from local_aws.lambda_runtime.api import RuntimeApi
from local_aws.lambda_runtime.environment import Environment, LogFile
from local_aws.lambda_runtime.model import Function
from local_aws.namespace import CommandError, listen_in
from local_aws.network import ensure_subnet_network, resolver
from local_aws.paths import LocalAwsError, State
from local_aws.podman import Podman

log = logging.getLogger(__name__)

API_PORT = 9001
LABEL = "local-aws-lambda"
# Addresses that nobody else asks for: the seed gives .10 to the warehouse, endpoints take the top.
FIRST_ADDRESS = 200


class Containers:
    """Makes environments in containers, each with a network interface as AWS gives functions."""

    def __init__(
        self,
        state: State,
        aws: Callable[[str], Any],
        code: Callable[[str], bytes],
        region: str,
        credentials: Callable[[str], dict[str, str]],
    ) -> None:
        self.state = state
        self.podman = Podman(state)
        self.aws = aws
        self.code = code
        self.region = region
        self.credentials = credentials
        self._lock = threading.Lock()
        self._numbers = 0

    def make(self, function: Function, log_file: LogFile) -> Environment:
        """Prepare a container whose Runtime API listens already; nothing runs in it yet."""
        with self._lock:
            self._numbers += 1
            name = f"lambda-{function.name}-{self._numbers}"
        if not function.runtime.startswith("python3."):
            raise LocalAwsError(f"runtime {function.runtime} is not supported by the miniature")
        if not function.subnets:
            raise LocalAwsError(
                f"{function.name} is in no VPC", "the miniature has no other network"
            )
        subnet = self.aws("ec2").describe_subnets(SubnetIds=[function.subnets[0]])["Subnets"][0]
        interface = self._interface(function, subnet)
        box = ContainerBox(self, name, interface["NetworkInterfaceId"], log_file)
        try:
            self._create(name, function, subnet, interface["PrivateIpAddress"])
            place = self.podman.network_file(name)
            listening = listen_in(place, "127.0.0.1", API_PORT)
        except BaseException:
            box.stop()
            raise
        return Environment(function, box, RuntimeApi(listening), log_file)

    def _interface(self, function: Function, subnet: dict[str, Any]) -> dict[str, Any]:
        ec2 = self.aws("ec2")
        with self._lock:
            network = IPv4Network(subnet["CidrBlock"])
            rows = ec2.describe_network_interfaces(
                Filters=[{"Name": "subnet-id", "Values": [subnet["SubnetId"]]}]
            )["NetworkInterfaces"]
            taken = {row["PrivateIpAddress"] for row in rows}
            hosts = (str(network[n]) for n in range(FIRST_ADDRESS, network.num_addresses - 8))
            address = next(host for host in hosts if host not in taken)
            made: dict[str, Any] = ec2.create_network_interface(
                SubnetId=subnet["SubnetId"],
                PrivateIpAddress=address,
                Groups=list(function.groups),
                Description=f"AWS Lambda VPC ENI-{function.name}",
            )["NetworkInterface"]
        return made

    def _create(self, name: str, function: Function, subnet: dict[str, Any], address: str) -> None:
        cidr = subnet["CidrBlock"]
        network = ensure_subnet_network(self.state, subnet["SubnetId"], cidr)
        task = self._unpack(function)
        runtime = client.ensure(function.runtime)
        variables = {**function.variables, **self._reserved(function)}
        options = [
            f"--name={name}", f"--label={LABEL}={function.name}", f"--network={network}:ip={address}",
            f"--dns={resolver(cidr)}", "--dns-search=.", "--cgroups=disabled", "--read-only",
            "--tmpfs=/tmp:rw,size=512m,mode=1777", "--user=993:990", "--cap-drop=all",
            "--security-opt=no-new-privileges",  "--log-driver=none",
            f"--volume={task}:/var/task:ro", f"--volume={runtime}:/var/runtime:ro",
            f"--volume={self.state.ca_bundle}:{_TRUST}:ro", "--workdir=/var/task",
        ]  # fmt: skip
        for key, value in variables.items():
            options.append(f"--env={key}={value}")
        argv = [f"/usr/bin/{function.runtime}", "-m", "awslambdaric", function.handler]
        self.podman.remove(name)
        self.podman.run("create", *options, image.ensure(self.podman), *argv)
        self.podman.run("init", name)

    def _unpack(self, function: Function) -> Path:
        target = (
            self.state.directory / "tmp" / "lambda" / f"{function.name}-{function.revision[:16]}"
        )
        with self._lock:
            if not target.is_dir():
                for old in target.parent.glob(f"{function.name}-*"):
                    shutil.rmtree(old, ignore_errors=True)
                partial = target.with_suffix(".partial")
                partial.mkdir(parents=True)
                _unzip(self.code(function.name), partial)
                partial.rename(target)
        return target

    def _reserved(self, function: Function) -> dict[str, str]:
        """Return the variables that Lambda itself sets (Developer Guide, "Defined runtime …")."""
        return {
            **self.credentials(function.role),
            "_HANDLER": function.handler,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "miniature",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{API_PORT}",
            "AWS_REGION": self.region,
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "LAMBDA_TASK_ROOT": "/var/task",
            "LANG": "C.UTF-8",
            "PYTHONPATH": "/var/runtime",
            "TZ": ":UTC",
            # The stand-in for AWS's own authority: at AWS every trust store has it already.
            "SSL_CERT_FILE": _TRUST,
            "AWS_CA_BUNDLE": _TRUST,
        }


_TRUST = "/etc/ssl/certs/ca-certificates.crt"


class ContainerBox:
    """A container with a runtime client as its only process."""

    def __init__(
        self, containers: Containers, name: str, interface: str, log_file: LogFile
    ) -> None:
        self.containers = containers
        self.podman = containers.podman
        self.name = name
        self.interface = interface
        self.log = log_file
        self._process: subprocess.Popen[str] | None = None
        self._stopped = threading.Lock()
        self._root: Path | None = None

    def start(self) -> None:
        """Start the client; its lines go to the function's log."""
        pid = self.podman.pid(self.name)
        self._root = Path(f"/proc/{self.podman.namespace.pid}/root/proc")
        self._pid = pid
        self._process = subprocess.Popen(
            self.podman.command("start", "--attach", self.name),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )
        threading.Thread(target=self._copy, args=(self._process,), daemon=True).start()

    def _copy(self, process: subprocess.Popen[str]) -> None:
        if process.stdout is not None:
            for line in process.stdout:
                self.log.write(line)

    def alive(self) -> bool:
        """Tell whether the client still runs."""
        return self._process is not None and self._process.poll() is None

    def exit_status(self) -> str:
        """Return how the client ended, in Lambda's words."""
        code = self._process.poll() if self._process else None
        if code is not None and code > 128:
            names = {137: "killed", 139: "segmentation fault", 143: "terminated"}
            return f"with error: signal: {names.get(code, code - 128)}"
        return f"with error: exit status {code}" if code else "without providing a reason"

    def memory(self) -> int:
        """Return the resident bytes of the container's processes."""
        if self._root is None:
            return 0
        total, waiting = 0, [self._pid]
        while waiting:
            pid = waiting.pop()
            try:
                status = (self._root / str(pid) / "status").read_text()
                children = (self._root / str(pid) / "task" / str(pid) / "children").read_text()
            except OSError:
                continue
            for line in status.splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) * 1024
            waiting += [int(child) for child in children.split()]
        return total

    def stop(self) -> None:
        """Remove the container and its network interface; safe to call twice."""
        with self._stopped:
            with contextlib.suppress(CommandError, LocalAwsError):
                self.podman.remove(self.name)
            if self._process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(10)
            interface, self.interface = self.interface, ""
            if interface:
                try:
                    self.containers.aws("ec2").delete_network_interface(
                        NetworkInterfaceId=interface
                    )
                except Exception as error:
                    log.warning("network interface %s: %s", interface, error)


def _unzip(data: bytes, target: Path) -> None:
    """Unpack a zip with its file modes, as Lambda does."""
    import io

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            path = Path(archive.extract(member, target))
            mode = member.external_attr >> 16 & 0o777
            path.chmod((mode or 0o644) | (0o755 if path.is_dir() else 0o444))
    target.chmod(0o755)
