"""The stand-in for AWS's SSM agent, as it runs on an instance: Python's own library alone."""
