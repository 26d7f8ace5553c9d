"""Group sequential theory: bounds and characteristics of a normal statistic seen at several looks."""
