"""Leaked tokens: report them by prefix, then block and rotate them."""
