"""Sample size and power by formula and by enumeration: means, proportions, survival."""
