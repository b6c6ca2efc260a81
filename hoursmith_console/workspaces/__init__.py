"""Workspaces and their members: who belongs, with which role, and who may see what."""
