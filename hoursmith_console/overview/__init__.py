"""Overview: what needs attention, and recent events."""
