"""Merkle trees, signed notes and sealed members of the audit log: pure functions without database and settings.

    merkle       hashes, roots and the compact range of a growing tree (RFC 9162)
    proofs       inclusion and consistency: make and verify
    ranges       a range of leaves with the roots beside it: make and verify
    tiles        nodes in tiles of 256 hashes, their paths, reading and extending them (C2SP tlog-tiles)
    notes        signed notes and verifier keys (C2SP signed-note), cosignatures (C2SP tlog-cosignature)
    checkpoints  a tree head as a signed note (C2SP tlog-checkpoint)
    proof_files  one inclusion proof as a text (C2SP tlog-proof)
    origins      the name of one log
    statements   the signed JSON statements of format 2
    sealed       salts and commitments of members that can be left out

Everything that is read is untrusted and read strictly; errors are `FormatError` and `ProofError`.
"""
