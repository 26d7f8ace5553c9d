"""The command line: each module offers ``register(app)``, and its commands import what they need when run."""
