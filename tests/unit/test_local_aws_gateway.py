"""Where a TLS connection goes, by the name asked for and the door that it came through."""

import datetime
import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509

from local_aws import ca
from local_aws.gateway import door_serves, upstream_of
from local_aws.network import Endpoint, Plan, Subnet
from local_aws.paths import State

PLAN = Plan(
    (Subnet("subnet-b", "10.0.128.0/20", "vpc-1", ("10.0.0.0/16",), True),),
    (
        Endpoint("vpce-1", "ssm", "10.0.143.250", "vpc-1", "subnet-b"),
        Endpoint("vpce-2", "ssmmessages", "10.0.143.251", "vpc-1", "subnet-b"),
    ),
)


@pytest.mark.parametrize(
    ("name", "upstream"),
    [
        ("ssmmessages.ap-southeast-1.amazonaws.com", "sessions"),
        ("ec2messages.ap-southeast-1.amazonaws.com", "sessions"),
        ("ssm.ap-southeast-1.amazonaws.com", "control"),
        ("s3.ap-southeast-1.amazonaws.com", "control"),
        ("ssmmessages.s3.ap-southeast-1.amazonaws.com", "control"),
        ("example.com", None),
        ("ssm.eu-west-1.amazonaws.com", None),
    ],
)
def test_a_name_goes_to_the_part_that_serves_it(name: str, upstream: str | None) -> None:
    assert upstream_of(name) == upstream


@pytest.mark.parametrize(
    ("address", "name", "serves"),
    [
        ("10.0.128.3", "b.s3.ap-southeast-1.amazonaws.com", True),
        ("10.0.128.3", "ssm.ap-southeast-1.amazonaws.com", False),
        ("10.0.143.250", "ssm.ap-southeast-1.amazonaws.com", True),
        ("10.0.143.250", "s3.ap-southeast-1.amazonaws.com", False),
        ("10.0.143.251", "ssm.ap-southeast-1.amazonaws.com", False),
        ("10.0.128.1", "s3.ap-southeast-1.amazonaws.com", False),
    ],
)
def test_a_door_serves_its_own_service_only(address: str, name: str, serves: bool) -> None:
    assert door_serves(PLAN, address, name) is serves


def test_a_client_that_trusts_the_authority_accepts_an_issued_name(tmp_path: Path) -> None:
    state = State(tmp_path)
    ca.create(state)
    context = ca.Issuer(state).context("s3.ap-southeast-1.amazonaws.com")
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with context.wrap_socket(ours, server_side=True) as server:
            server.sendall(b"ok")

    thread = threading.Thread(target=serve)
    thread.start()
    client = ssl.create_default_context(cafile=str(state.ca_certificate))
    with client.wrap_socket(theirs, server_hostname="s3.ap-southeast-1.amazonaws.com") as wrapped:
        assert wrapped.recv(2) == b"ok"
    thread.join()


def test_the_authority_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    state = State(tmp_path)
    ca.create(state)
    first = state.ca_certificate.read_bytes()
    ca.create(state)
    assert state.ca_certificate.read_bytes() == first
    assert state.ca_key.stat().st_mode & 0o777 == 0o600
    assert state.ca_bundle.read_bytes().endswith(first)
    certificate = x509.load_pem_x509_certificate(first)
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    assert left < datetime.timedelta(days=366)
