"""Settings of the workspace, and the configuration of the console."""
