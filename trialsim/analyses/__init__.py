"""Analyses: a data cut in, estimates out."""
