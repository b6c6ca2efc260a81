"""Alerts: rules of a workspace, the channels that they use, and the deliveries."""
