"""Bayesian models sampled by NUTS: built with PyMC, compiled once by nutpie, judged by ArviZ; needs the extra ``bayes``."""
