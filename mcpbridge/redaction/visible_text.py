"""Mark hidden characters in names: invisible ones, and those that change the direction of the text around them.

A record may have a name that reads as another name on an audit page (`Acme` and a right-to-left override, or only a
zero-width space). Such characters are shown as U+FFFD, one for each.

Source: Unicode Standard Annex 9 (bidirectional controls), Technical Report 36 (visual security); default-ignorable
code points of the Unicode Character Database.
"""

import re

MARK = "\ufffd"
# Joiners and variation selectors are kept: words of several languages and emoji need them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
# Includes the joiners and selectors that _HIDDEN allows.
_NOTHING = re.compile("[\\s\u200c\u200d\ufe00-\ufe0f\ufffd]*")


def is_plain(text: str) -> bool:
    """Return whether `text` has no hidden characters."""
    # Nearly every text is printable ASCII, which takes half the time to see.
    return (text.isascii() and text.isprintable()) or not _HIDDEN.search(text)


def marked(text: str) -> str:
    """Return `text` with U+FFFD for each hidden character."""
    return _HIDDEN.sub(MARK, text)


def shows_nothing(text: str) -> bool:
    """Return whether `text` has no visible characters."""
    return _NOTHING.fullmatch(marked(text)) is not None
