"""The two engines, the loop that runs them, and the records they leave."""
