"""Mask token secrets in everything that is stored or logged. Imports nothing else of the bridge."""
