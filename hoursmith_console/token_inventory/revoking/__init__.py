"""Revoke a token: in the sandbox at once, hosted on Hoursmith's own page, which the rotation then confirms."""
