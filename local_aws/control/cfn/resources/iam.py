"""Roles, policies and instance profiles."""

# ruff: noqa: ARG002, D102 - every method is one of ResourceType and documented there
from __future__ import annotations

from local_aws.control.cfn.provider import Context, Made, Properties, ResourceType, document


class Role(ResourceType):
    """An IAM role with its inline and managed policies."""

    type = "AWS::IAM::Role"
    known = (
        "AssumeRolePolicyDocument Description ManagedPolicyArns MaxSessionDuration Path "
        "PermissionsBoundary Policies RoleName Tags"
    )
    replaced_by = "Path RoleName"

    def create(self, ctx: Context, props: Properties) -> Made:
        role = ctx.call(
            "iam",
            "create_role",
            RoleName=props.get("RoleName") or ctx.name(),
            Path=props.get("Path"),
            AssumeRolePolicyDocument=document(props["AssumeRolePolicyDocument"]),
            Description=props.get("Description"),
            MaxSessionDuration=props.get("MaxSessionDuration"),
            PermissionsBoundary=props.get("PermissionsBoundary"),
            Tags=ctx.tags(props) or None,
        )["Role"]
        self._policies(ctx, role["RoleName"], {}, props)
        return Made(role["RoleName"], {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def _policies(self, ctx: Context, name: str, old: Properties, new: Properties) -> None:
        iam = ctx.client("iam")
        before, after = set(old.get("ManagedPolicyArns") or []), new.get("ManagedPolicyArns") or []
        for arn in after:
            if arn not in before:
                iam.attach_role_policy(RoleName=name, PolicyArn=arn)
        for arn in before - set(after):
            iam.detach_role_policy(RoleName=name, PolicyArn=arn)
        kept = {policy["PolicyName"] for policy in new.get("Policies") or []}
        for policy in new.get("Policies") or []:
            iam.put_role_policy(
                RoleName=name,
                PolicyName=policy["PolicyName"],
                PolicyDocument=document(policy["PolicyDocument"]),
            )
        for policy in old.get("Policies") or []:
            if policy["PolicyName"] not in kept:
                iam.delete_role_policy(RoleName=name, PolicyName=policy["PolicyName"])

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        iam = ctx.client("iam")
        iam.update_assume_role_policy(
            RoleName=physical_id, PolicyDocument=document(new["AssumeRolePolicyDocument"])
        )
        ctx.call(
            "iam",
            "update_role",
            RoleName=physical_id,
            Description=new.get("Description"),
            MaxSessionDuration=new.get("MaxSessionDuration"),
        )
        self._policies(ctx, physical_id, old, new)
        if tags := ctx.tags(new):
            iam.tag_role(RoleName=physical_id, Tags=tags)
        role = iam.get_role(RoleName=physical_id)["Role"]
        return Made(physical_id, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        iam = ctx.client("iam")
        for arn in iam.list_attached_role_policies(RoleName=physical_id)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=physical_id, PolicyArn=arn["PolicyArn"])
        for name in iam.list_role_policies(RoleName=physical_id)["PolicyNames"]:
            iam.delete_role_policy(RoleName=physical_id, PolicyName=name)
        iam.delete_role(RoleName=physical_id)


class InstanceProfile(ResourceType):
    """What carries a role to an instance."""

    type = "AWS::IAM::InstanceProfile"
    known = "InstanceProfileName Path Roles"
    replaced_by = "InstanceProfileName Path"

    def create(self, ctx: Context, props: Properties) -> Made:
        iam = ctx.client("iam")
        profile = ctx.call(
            "iam",
            "create_instance_profile",
            InstanceProfileName=props.get("InstanceProfileName") or ctx.name(),
            Path=props.get("Path"),
        )["InstanceProfile"]
        for role in props["Roles"]:
            iam.add_role_to_instance_profile(
                InstanceProfileName=profile["InstanceProfileName"], RoleName=role
            )
        return Made(profile["InstanceProfileName"], {"Arn": profile["Arn"]})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        iam = ctx.client("iam")
        for role in old["Roles"]:
            iam.remove_role_from_instance_profile(InstanceProfileName=physical_id, RoleName=role)
        for role in new["Roles"]:
            iam.add_role_to_instance_profile(InstanceProfileName=physical_id, RoleName=role)
        profile = iam.get_instance_profile(InstanceProfileName=physical_id)["InstanceProfile"]
        return Made(physical_id, {"Arn": profile["Arn"]})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        iam = ctx.client("iam")
        profile = iam.get_instance_profile(InstanceProfileName=physical_id)["InstanceProfile"]
        for role in profile["Roles"]:
            iam.remove_role_from_instance_profile(
                InstanceProfileName=physical_id, RoleName=role["RoleName"]
            )
        iam.delete_instance_profile(InstanceProfileName=physical_id)


_HOLDERS = (
    ("Roles", "role", "RoleName"),
    ("Users", "user", "UserName"),
    ("Groups", "group", "GroupName"),
)


class Policy(ResourceType):
    """An inline policy of roles, users and groups."""

    type = "AWS::IAM::Policy"
    known = "Groups PolicyDocument PolicyName Roles Users"
    replaced_by = "PolicyName"

    def create(self, ctx: Context, props: Properties) -> Made:
        for prop, kind, field in _HOLDERS:
            for holder in props.get(prop) or []:
                getattr(ctx.client("iam"), f"put_{kind}_policy")(
                    **{field: holder},
                    PolicyName=props["PolicyName"],
                    PolicyDocument=document(props["PolicyDocument"]),
                )
        return Made(f"{ctx.stack_name}-{ctx.logical_id}", {"Id": props["PolicyName"]})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        gone = {
            prop: sorted(set(old.get(prop) or []) - set(new.get(prop) or []))
            for prop, *_ in _HOLDERS
        }
        self.delete(ctx, physical_id, {**old, **gone})
        self.create(ctx, new)
        return Made(physical_id, {"Id": new["PolicyName"]})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        for prop, kind, field in _HOLDERS:
            for holder in props.get(prop) or []:
                getattr(ctx.client("iam"), f"delete_{kind}_policy")(
                    **{field: holder}, PolicyName=props["PolicyName"]
                )


class RolePolicy(ResourceType):
    """One inline policy of one role."""

    type = "AWS::IAM::RolePolicy"
    known = "PolicyDocument PolicyName RoleName"
    replaced_by = "PolicyName RoleName"

    def create(self, ctx: Context, props: Properties) -> Made:
        ctx.client("iam").put_role_policy(
            RoleName=props["RoleName"],
            PolicyName=props["PolicyName"],
            PolicyDocument=document(props["PolicyDocument"]),
        )
        return Made(f"{props['PolicyName']}|{props['RoleName']}", {})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        return self.create(ctx, new)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("iam").delete_role_policy(
            RoleName=props["RoleName"], PolicyName=props["PolicyName"]
        )


class ManagedPolicy(ResourceType):
    """A customer-managed policy."""

    type = "AWS::IAM::ManagedPolicy"
    known = "Description Groups ManagedPolicyName Path PolicyDocument Roles Users"
    replaced_by = "Description ManagedPolicyName Path"

    def create(self, ctx: Context, props: Properties) -> Made:
        arn = ctx.call(
            "iam",
            "create_policy",
            PolicyName=props.get("ManagedPolicyName") or ctx.name(128),
            Path=props.get("Path"),
            Description=props.get("Description"),
            PolicyDocument=document(props["PolicyDocument"]),
        )["Policy"]["Arn"]
        self._holders(ctx, arn, {}, props)
        return self._made(arn)

    def _made(self, arn: str) -> Made:
        return Made(arn, {"PolicyArn": arn})

    def _holders(self, ctx: Context, arn: str, old: Properties, new: Properties) -> None:
        iam = ctx.client("iam")
        for prop, kind, field in _HOLDERS:
            before, after = set(old.get(prop) or []), set(new.get(prop) or [])
            for holder in sorted(after - before):
                getattr(iam, f"attach_{kind}_policy")(**{field: holder}, PolicyArn=arn)
            for holder in sorted(before - after):
                getattr(iam, f"detach_{kind}_policy")(**{field: holder}, PolicyArn=arn)

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        iam = ctx.client("iam")
        if old["PolicyDocument"] != new["PolicyDocument"]:
            for version in iam.list_policy_versions(PolicyArn=physical_id)["Versions"]:
                if not version["IsDefaultVersion"]:
                    iam.delete_policy_version(PolicyArn=physical_id, VersionId=version["VersionId"])
            iam.create_policy_version(
                PolicyArn=physical_id,
                PolicyDocument=document(new["PolicyDocument"]),
                SetAsDefault=True,
            )
        self._holders(ctx, physical_id, old, new)
        return self._made(physical_id)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        iam = ctx.client("iam")
        self._holders(ctx, physical_id, props, {})
        for version in iam.list_policy_versions(PolicyArn=physical_id)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=physical_id, VersionId=version["VersionId"])
        iam.delete_policy(PolicyArn=physical_id)
