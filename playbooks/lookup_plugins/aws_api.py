"""Ask AWS something that no module of amazon.aws asks."""

from __future__ import annotations

from typing import Any

import jmespath
from ansible.errors import AnsibleLookupError
from ansible_collections.amazon.aws.plugins.plugin_utils.lookup import AWSLookupBase
from botocore.exceptions import BotoCoreError, ClientError
from botocore.response import StreamingBody

DOCUMENTATION = r"""
name: aws_api
short_description: Call a reading operation of an AWS service
description:
  - Calls C(describe_…), C(get_…), C(head_…) or C(list_…) of a boto3 client and returns its answer,
    or the part of it that a JMESPath query picks. Operations that could change something are refused.
    A body that AWS streams comes as text.
options:
  _terms:
    description: The service and the operation, as boto3 names them.
    required: true
  arguments:
    description: Arguments of the operation.
    type: dict
    default: {}
  query:
    description: JMESPath of the wanted part; the whole answer by default.
    type: str
    default: "@"
  missing:
    description: Error codes that mean that the thing does not exist; the lookup then returns null.
    type: list
    elements: str
    default: []
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
account: "{{ lookup('aws_api', 'sts', 'get_caller_identity', query='Account') }}"
"""

RETURN = r"""
_raw:
  description: The answer, or the part that the query picked.
  type: raw
"""

READING = ("describe_", "get_", "head_", "list_")


class LookupModule(AWSLookupBase):
    """Call one reading operation."""

    def run(
        self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any
    ) -> list[Any]:
        """Return a list with the one answer; raise AnsibleLookupError when AWS refuses."""
        super().run(terms, variables, **kwargs)
        service, operation = terms
        if not operation.startswith(READING):
            raise AnsibleLookupError(f"aws_api only reads: {service} {operation} is refused")
        try:
            answer = getattr(self.client(service), operation)(**self.get_option("arguments"))
            if isinstance(answer.get("Body"), StreamingBody):
                answer["Body"] = answer["Body"].read().decode()
        except ClientError as error:
            if error.response["Error"]["Code"] in self.get_option("missing"):
                return [None]
            raise AnsibleLookupError(f"{service} {operation}: {error}") from error
        except BotoCoreError as error:
            raise AnsibleLookupError(f"{service} {operation}: {error}") from error
        return [jmespath.search(self.get_option("query"), answer)]
