"""A substitute for AWS's session-manager-plugin: the same command line, Python's library alone.

Ansible starts it for every task, so nothing is imported before it is needed.
"""
