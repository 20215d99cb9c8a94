"""The playbooks' lookups: they only read, and they say what AWS says."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import init_plugin_loader, lookup_loader
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

FOLDER = Path(__file__).resolve().parents[2] / "playbooks/lookup_plugins"
REGION = {"region": "ap-southeast-1"}
_start_loader: Any = init_plugin_loader
_start_loader()


class FakeClient:
    """Answers each operation with what it was given."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def answer(**arguments: Any) -> Any:
            self.calls.append((name, arguments))
            if isinstance(self.answers[name], Exception):
                raise self.answers[name]
            return self.answers[name]

        return answer


def lookup(name: str, monkeypatch: pytest.MonkeyPatch, **answers: Any) -> tuple[Any, FakeClient]:
    """Return a lookup whose AWS is a fake."""
    loader: Any = lookup_loader
    loader.add_directory(str(FOLDER))
    plugin = loader.get(name)
    client = FakeClient(answers)
    monkeypatch.setattr(type(plugin), "client", lambda _self, _service: client)
    return plugin, client


def error(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


def test_an_operation_that_could_change_something_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin, client = lookup("aws_api", monkeypatch, delete_bucket={})
    with pytest.raises(AnsibleLookupError, match="aws_api only reads: s3 delete_bucket is refused"):
        plugin.run(["s3", "delete_bucket"], {}, **REGION)
    assert client.calls == []


def test_a_query_picks_a_part_of_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, client = lookup(
        "aws_api", monkeypatch, describe_rule={"Name": "hourly", "State": "ENABLED"}
    )
    arguments = {"Name": "hourly"}
    found = plugin.run(
        ["events", "describe_rule"], {}, arguments=arguments, query="State", **REGION
    )
    assert found == ["ENABLED"]
    assert client.calls == [("describe_rule", {"Name": "hourly"})]


def test_a_streamed_body_comes_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    body = StreamingBody(io.BytesIO(b'{"a": 1}'), 8)
    plugin, _ = lookup("aws_api", monkeypatch, get_object={"Body": body})
    assert plugin.run(["s3", "get_object"], {}, query="Body", **REGION) == ['{"a": 1}']


def test_what_may_be_missing_is_null_and_other_errors_are_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin, _ = lookup("aws_api", monkeypatch, get_object=error("NoSuchKey", "no"))
    assert plugin.run(["s3", "get_object"], {}, missing=["NoSuchKey"], **REGION) == [None]
    with pytest.raises(AnsibleLookupError, match=r"s3 get_object: .*NoSuchKey"):
        plugin.run(["s3", "get_object"], {}, missing=["NoSuchBucket"], **REGION)


def test_a_stack_is_its_status_outputs_and_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    described = {
        "StackStatus": "CREATE_COMPLETE",
        "Outputs": [{"OutputKey": "DwhHost", "OutputValue": "10.0.128.10"}],
        "Parameters": [{"ParameterKey": "ImageId", "ParameterValue": "ami-1"}],
    }
    plugin, client = lookup("stack", monkeypatch, describe_stacks={"Stacks": [described]})
    assert plugin.run(["sbw-warehouse"], {}, **REGION) == [
        {
            "status": "CREATE_COMPLETE",
            "outputs": {"DwhHost": "10.0.128.10"},
            "parameters": {"ImageId": "ami-1"},
        }
    ]
    assert client.calls == [("describe_stacks", {"StackName": "sbw-warehouse"})]


def test_a_stack_that_is_not_there_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = error("ValidationError", "Stack with id sbw-etl does not exist")
    plugin, _ = lookup("stack", monkeypatch, describe_stacks=missing)
    assert plugin.run(["sbw-etl"], {}, **REGION) == [
        {"status": None, "outputs": {}, "parameters": {}}
    ]


def test_a_stack_that_may_not_be_seen_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, _ = lookup("stack", monkeypatch, describe_stacks=error("AccessDenied", "no right"))
    with pytest.raises(AnsibleLookupError, match=r"stack sbw-etl: .*no right"):
        plugin.run(["sbw-etl"], {}, **REGION)
