"""Bayesian models of two arms: a data cut in, a posterior out."""
