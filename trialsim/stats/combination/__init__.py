"""Combination tests: stages that may be changed in between, tested together by a rule fixed in advance."""
