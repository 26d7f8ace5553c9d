"""Operating characteristics: what simulated trials say about designs, each value with its error."""
