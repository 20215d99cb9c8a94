"""AWS in miniature on one machine: control plane, Session Manager, instances, functions."""
