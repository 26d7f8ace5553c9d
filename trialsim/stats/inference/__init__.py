"""Inference after a trial with looks: adjusted for stopping, repeated, conditional, and with data that arrive late."""
