"""Endpoints for operators: health, metrics."""
