"""The scenario language: from a file that a person writes to frozen, checked data."""
