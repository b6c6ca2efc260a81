"""Half of what the console can do, for half an hour, with something failing every twenty seconds."""
