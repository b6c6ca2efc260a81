"""Endpoints for operators and clients that are no pages: health, metrics, discovery."""
