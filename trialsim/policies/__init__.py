"""Policies: a view in, a decision out."""
