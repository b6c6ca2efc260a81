"""Rotations: replace a token step by step, verified by observed calls."""
