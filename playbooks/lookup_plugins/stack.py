"""Look at a CloudFormation stack as it is now."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible_collections.amazon.aws.plugins.plugin_utils.lookup import AWSLookupBase
from botocore.exceptions import BotoCoreError, ClientError

DOCUMENTATION = r"""
name: stack
short_description: Return status, outputs and parameters of a CloudFormation stack
options:
  _terms:
    description: Name of the stack.
    required: true
  region:
    description: AWS region.
    type: str
    vars:
      - name: sbw_region
extends_documentation_fragment:
  - amazon.aws.boto3
  - amazon.aws.common.plugins
"""

EXAMPLES = r"""
subnet: "{{ lookup('stack', 'sbw-network').outputs.PrivateSubnet }}"
"""

RETURN = r"""
_raw:
  description:
    - C(status), null where there is no such stack, and the dictionaries C(outputs) and C(parameters).
  type: list
  elements: dict
"""


def _pairs(items: list[dict[str, str]], kind: str) -> dict[str, str]:
    return {item[f"{kind}Key"]: item[f"{kind}Value"] for item in items if f"{kind}Value" in item}


class LookupModule(AWSLookupBase):
    """Look at one stack."""

    def run(
        self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[dict[str, Any]]:
        """Return a list with the one stack; raise AnsibleLookupError when AWS refuses to tell."""
        super().run(terms, variables, **kwargs)
        (name,) = terms
        try:
            stacks = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" not in str(error):
                raise AnsibleLookupError(f"stack {name}: {error}") from error
            stacks = []
        except BotoCoreError as error:
            raise AnsibleLookupError(f"stack {name}: {error}") from error
        if not stacks:
            return [{"status": None, "outputs": {}, "parameters": {}}]
        return [
            {
                "status": stacks[0]["StackStatus"],
                "outputs": _pairs(stacks[0].get("Outputs", []), "Output"),
                "parameters": _pairs(stacks[0].get("Parameters", []), "Parameter"),
            }
        ]
