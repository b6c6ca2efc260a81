"""Endpoints for operators and clients: health, metrics, OAuth discovery."""
