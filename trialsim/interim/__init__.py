"""The interim analysis of a real trial: its data and its design in, test, bounds and inference out."""
