"""The tokens in use, as the bridge saw them, and whose they are."""
