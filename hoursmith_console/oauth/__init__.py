"""Endpoints through which assistants sign in: metadata, registration, tokens. The pages are in `authorizing`."""
