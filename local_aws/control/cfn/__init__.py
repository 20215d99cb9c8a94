"""CloudFormation for the miniature: templates in, calls to AWS's public interfaces out."""
