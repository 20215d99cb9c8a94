"""The demo: the whole layer on this machine, with a shop's traffic to look at.

It uses what an operator would use: the playbooks, AWS's interfaces, a Session Manager tunnel. AWS
itself is the miniature of `local_aws`.
"""
