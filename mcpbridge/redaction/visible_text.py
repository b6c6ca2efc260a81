"""Mark what a name hides: characters that nobody sees, and those that turn the text around them.

A record may be called anything, also something that reads as another name on an audit page (`Acme` and a
right-to-left override, or nothing but a zero-width space). Such characters are shown as U+FFFD, one for each.

Source: Unicode Standard Annex 9 (bidirectional controls), Technical Report 36 (visual security); default-ignorable
code points of the Unicode Character Database.
"""

import re

MARK = "\ufffd"
# Joiners and variation selectors stay: words of several languages and emoji are written with them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
# Written with the joiners and selectors that _HIDDEN lets pass.
_NOTHING = re.compile("[\\s\u200c\u200d\ufe00-\ufe0f\ufffd]*")


def is_plain(text: str) -> bool:
    """Return whether nothing in `text` is hidden."""
    return not _HIDDEN.search(text)


def marked(text: str) -> str:
    """Return `text` with U+FFFD for each character that is invisible or turns the text around it."""
    return _HIDDEN.sub(MARK, text)


def shows_nothing(text: str) -> bool:
    """Return whether a reader sees nothing in `text` that could be a name."""
    return _NOTHING.fullmatch(marked(text)) is not None
