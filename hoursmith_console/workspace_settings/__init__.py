"""The settings area: what the workspace wants of its console, and how the console itself is set up."""
