"""Harnesses for what meets strangers' bytes. The kept seeds are ordinary tests; `make fuzz` looks for new ones."""
