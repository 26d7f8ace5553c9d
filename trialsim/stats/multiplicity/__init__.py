"""Several hypotheses: adjusted p values, graphs, closed tests, comparisons of many arms with one control."""
