"""Designs: a few numbers in, bounds out."""
