"""Who calls, and whether that user's or role's policies allow it.

Only principals that have an access key of their own are asked: users made by IAM's calls, and the roles
of functions. The miniature's own key, and any that nobody made, is the account itself, which may do
everything. Source: AWS, "IAM user guide", "Policy evaluation logic", for one account: a denial wins,
nothing is allowed that no statement allows. Boundaries and session policies are not known here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_aws.control import calls, policy, query
from local_aws.control.route import Call, access_key
from local_aws.control.server import Request, Response

# A function's code may not use it otherwise than the service hands it out.
_ROLE_KEY = "ASIA"


@dataclass(frozen=True)
class Principal:
    """A user, or a role as its session: ARN, the texts of its policies, and IAM's variables."""

    arn: str
    policies: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)

    def decide(self, action: str, resource: str, context: dict[str, str]) -> str:
        """Return what the principal's policies say of one action on one resource."""
        access = policy.Access(action, resource, self.arn, context={**context, **self.variables})
        verdicts = {policy.decide(text, access) for text in self.policies}
        for verdict in (policy.DENY, policy.ALLOW):
            if verdict in verdicts:
                return verdict
        return policy.SILENT

    @property
    def session_prefix(self) -> str:
        """Return what Session Manager begins this principal's session ids with."""
        return self.arn.rsplit("/", 1)[1]


def role_key(role_arn: str) -> str:
    """Return the access key id under which a role's session calls."""
    digest = hashlib.sha256(role_arn.encode()).digest()
    return _ROLE_KEY + base64.b32encode(digest).decode()[:16]


class Identity:
    """Knows the account's users and roles, and decides on their calls.

    What each of them was allowed is written down once, as a line of JSON in `record`.
    """

    def __init__(self, region: str, account: str, record: Path) -> None:
        self.region = region
        self.account = account
        self._record = record
        self._used: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def use(self, principal: Principal, action: str) -> None:
        """Write down that a principal was allowed an action."""
        used = (principal.arn, action)
        if used in self._used:
            return
        with self._lock:
            if used not in self._used:
                self._used.add(used)
                self._record.parent.mkdir(parents=True, exist_ok=True)
                line = json.dumps({"principal": principal.arn, "action": action})
                with self._record.open("a") as file:
                    file.write(line + "\n")

    def principal(self, request: Request) -> Principal | None:
        """Return who signed a request; None for the account itself, and for nobody."""
        key = access_key(request)
        if not key:
            return None
        iam = self._iam()
        if key.startswith(_ROLE_KEY):
            for role in list(iam.roles.values()):
                if role_key(role.arn) == key:
                    return self._role(role)
            return None
        for user in list(iam.users.values()):
            if any(one.access_key_id == key for one in user.access_keys):
                return self._user(iam, user)
        return None

    def check(self, call: Call, request: Request) -> Response | None:
        """Return a refusal in the caller's protocol, or None where the call may go on."""
        principal = self.principal(request)
        if principal is None:
            return None
        action, parameters = calls.name(call, request)
        if action == "sts:GetCallerIdentity":  # needs no right
            return None
        for resource in calls.resources(action, parameters, self.region, self.account):
            context = self._context(resource)
            if principal.decide(action, resource, context) != policy.ALLOW:
                return _denied(call, request, principal.arn, action, resource)
        self.use(principal, action)
        return None

    def _iam(self) -> Any:
        from moto.iam.models import iam_backends

        return iam_backends[self.account]["aws"]

    def _user(self, iam: Any, user: Any) -> Principal:
        groups = iam.get_groups_for_user(user.name)
        texts = [text for holder in (user, *groups) for text in _policies(holder)]
        return Principal(user.arn, tuple(texts), {"aws:username": user.name, "aws:userid": user.id})

    def _role(self, role: Any) -> Principal:
        return Principal(
            f"arn:aws:sts::{self.account}:assumed-role/{role.name}/miniature",
            tuple(_policies(role)),
            {"aws:userid": f"{role.id}:miniature"},
        )

    def _context(self, resource: str) -> dict[str, str]:
        context = {
            "aws:PrincipalAccount": self.account,
            "aws:SecureTransport": "true",
            "aws:RequestedRegion": self.region,
        }
        if ":document/" in resource or ":instance/" in resource:
            context["ssm:SessionDocumentAccessCheck"] = "true"
        if ":instance/" in resource:
            from moto.ec2.models import ec2_backends

            ec2: Any = ec2_backends[self.account][self.region]
            for tag in ec2.describe_tags({"resource-id": [resource.rsplit("/", 1)[1]]}):
                for prefix in ("ssm:resourceTag", "aws:ResourceTag"):
                    context[f"{prefix}/{tag['key']}"] = tag["value"]
        return context


def _policies(holder: Any) -> list[str]:
    """Return the documents of a user, group or role, inline and managed."""
    inline = [
        text if isinstance(text, str) else json.dumps(text) for text in holder.policies.values()
    ]
    return inline + [
        version.document
        for managed in holder.managed_policies.values()
        for version in managed.versions
        if version.is_default
    ]


def _denied(call: Call, request: Request, arn: str, action: str, resource: str) -> Response:
    """Return AWS's refusal; each protocol has its own form."""
    on = "" if resource == "*" else f" on resource: {resource}"
    message = (
        f"User: {arn} is not authorized to perform: {action}{on}"
        " because no identity-based policy allows it"
    )
    if call.service == "ec2":
        text = (
            '<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error>'
            "<Code>UnauthorizedOperation</Code>"
            f"<Message>You are not authorized to perform this operation. {message}</Message>"
            "</Error></Errors><RequestID>0</RequestID></Response>"
        )
        return Response(403, [("Content-Type", "text/xml")], text.encode())
    if "x-amz-target" in request.headers or call.service == "lambda":
        code = "AccessDeniedException"
        return Response(
            400 if "x-amz-target" in request.headers else 403,
            [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)],
            json.dumps({"__type": code, "message": message, "Message": message}).encode(),
        )
    return query.error(403, "AccessDenied", message, "")
