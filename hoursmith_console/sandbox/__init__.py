"""The embedded Hoursmith workspace: the REST API contract on its own models, for trials and tests."""
