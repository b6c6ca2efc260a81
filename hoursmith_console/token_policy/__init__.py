"""Token policy: age and inactivity limits, and least-privilege hints."""
