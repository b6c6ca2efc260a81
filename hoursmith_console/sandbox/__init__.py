"""The embedded Hoursmith workspace: the REST contract, on models of its own, for trying and testing."""
