"""A teammate's assistants, each on one machine: connecting them, and seeing that they work."""
