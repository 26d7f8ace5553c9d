"""The laws of endpoints."""
