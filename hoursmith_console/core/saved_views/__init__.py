"""Saved views: the filters of a list in the address bar, kept under a name for one member."""
