"""Learning from simulated trials: logs, training, evaluation against traditional rules."""
