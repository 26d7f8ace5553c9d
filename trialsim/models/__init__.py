"""Models that tell the eligible from the others: fitted once, kept in a file, and asked the same way by every policy."""
