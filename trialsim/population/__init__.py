"""Who the patients are and what would happen to them."""
