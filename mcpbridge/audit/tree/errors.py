"""The errors of trees and notes.

TreeError
├── FormatError   a text or value is not in its format
└── ProofError    a proof, signature or commitment is well-formed but does not hold
"""


class TreeError(ValueError):
    """Something about a tree or note cannot be accepted. The text says what, in one clause."""


class FormatError(TreeError):
    """A text or value is not in its format."""


class ProofError(TreeError):
    """A proof, signature or commitment does not hold."""
