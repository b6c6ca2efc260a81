"""Scan databases, logs and files for token secrets, which must not be stored anywhere (guarantee G1).

`patterns` recognises a secret, also when it is encoded; `tables` and `files` read the data. The secrets themselves are
never returned: only their location and the token prefix.
"""
