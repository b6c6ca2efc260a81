"""Overview: alerts and recent events."""
