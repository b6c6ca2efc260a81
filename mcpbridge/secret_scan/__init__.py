"""Looks for token secrets where none may be: in databases, logs and files (guarantee G1, from the other side).

`signs` knows what a secret looks like, also when it is wrapped; `tables` and `files` go through the places. Nothing
here ever hands on what was found: only where, and the token's public part.
"""
