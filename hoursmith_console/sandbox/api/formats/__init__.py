"""Parse and render numbers, instants, durations and cursors."""
