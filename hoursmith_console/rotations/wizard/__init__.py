"""Pages that guide through one rotation."""
