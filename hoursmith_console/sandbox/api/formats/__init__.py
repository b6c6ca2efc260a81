"""How the API writes and reads numbers, instants, durations and cursors."""
