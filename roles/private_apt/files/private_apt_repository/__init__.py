"""Makes, signs and publishes the package repository that hosts without internet install from.

Runs on the controller, as root, for the role private_apt: `python -m private_apt_repository`.
"""
