"""Many rotations asked for at once, by a day, and how far everybody is."""
