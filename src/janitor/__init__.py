"""Leases for temporary CloudFormation stacks: remind, extend, delete, and keep the evidence."""

__version__ = "0.1.0"
