"""Views of a list that somebody keeps for themselves: a name, and the filters that the address bar shows."""
