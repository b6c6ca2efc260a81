"""Mask token secrets in everything that is written down. Imports nothing else of the bridge."""
