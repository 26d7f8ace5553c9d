"""What docs/validation.md shows: figures of others beside ours, computed anew by the tests and by the page."""
