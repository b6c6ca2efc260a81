"""Rotating tokens, step by step, until the bridge has seen the new one work and the old one is silent."""
