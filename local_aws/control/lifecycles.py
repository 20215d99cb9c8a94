"""Data Lifecycle Manager: the policies of snapshots are kept and told; nothing takes any by them here.

Source: botocore's service model of `dlm`.
"""

from __future__ import annotations

import json
import secrets
import threading
from datetime import UTC, datetime
from typing import Any

from local_aws.control import calls
from local_aws.control.route import Call
from local_aws.control.server import Request, Response

Policy = dict[str, Any]


class Lifecycles:
    """Answers the calls that a stack makes: create, get, update and delete a policy."""

    def __init__(self, region: str, account: str) -> None:
        self._region, self._account = region, account
        self._policies: dict[str, Policy] = {}
        self._lock = threading.Lock()

    def __call__(self, call: Call, request: Request) -> Response | None:
        """Return the answer, or None for a call that is not known."""
        action, parameters = calls.name(call, request)
        body = json.loads(request.body or b"{}")
        with self._lock:
            if action == "dlm:CreateLifecyclePolicy":
                return _answer({"PolicyId": self._create(body)})
            if action == "dlm:GetLifecyclePolicies":
                return _answer({"Policies": [_summary(one) for one in self._policies.values()]})
            policy = self._policies.get(parameters.get("policyId", ""))
            if action not in _OF_ONE:
                return None
            if policy is None:
                return _refusal(f"Policy {parameters['policyId']} does not exist.")
            if action == "dlm:GetLifecyclePolicy":
                return _answer({"Policy": policy})
            if action == "dlm:UpdateLifecyclePolicy":
                policy.update({**body, "DateModified": _now()})
            else:
                del self._policies[policy["PolicyId"]]
        return _answer({})

    def _create(self, body: dict[str, Any]) -> str:
        policy = f"policy-{secrets.token_hex(8)}0"
        kept = ("Description", "State", "ExecutionRoleArn", "PolicyDetails", "Tags")
        self._policies[policy] = {
            "PolicyId": policy,
            "PolicyArn": f"arn:aws:dlm:{self._region}:{self._account}:policy/{policy}",
            "DateCreated": _now(),
            "DateModified": _now(),
            **{name: body[name] for name in kept if name in body},
        }
        return policy


_OF_ONE = {f"dlm:{verb}LifecyclePolicy" for verb in ("Get", "Update", "Delete")}


def _summary(policy: Policy) -> Policy:
    return {name: policy[name] for name in ("PolicyId", "Description", "State") if name in policy}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _answer(body: dict[str, Any]) -> Response:
    return Response(200, [("Content-Type", "application/json")], json.dumps(body).encode())


def _refusal(message: str) -> Response:
    headers = [
        ("Content-Type", "application/json"),
        ("x-amzn-ErrorType", "ResourceNotFoundException"),
    ]
    return Response(404, headers, json.dumps({"Message": message}).encode())
