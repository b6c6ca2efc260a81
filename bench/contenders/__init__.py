"""What the bridge is measured against: each one process that forwards one tool call as one GET."""
