"""Connections: one assistant of one member on one machine, its setup and its status."""
