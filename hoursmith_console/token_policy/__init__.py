"""How old, how idle and how powerful a workspace lets its tokens be, and which of them are more."""
