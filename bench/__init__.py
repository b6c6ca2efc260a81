"""Measures the bridge against what it could be and what it stands beside; see README.md."""
