"""Bayesian posteriors in closed form or by quadrature, compiled and batched over replicates."""
