"""What the maker of evidence chose."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """Choices about the entries of evidence.

    `left_out` are members that no entry shows. `shows_others`: entries between the selected ones are shown, without
    any of these members. `withholds_old`: entries of format 1, of which nothing can be left out, are withheld although
    their hashes can be tested against guesses. `older` is the checkpoint that a receiver kept, as pasted.
    """

    left_out: frozenset[str] = frozenset()
    shows_others: bool = False
    withholds_old: bool = False
    older: str = ""
