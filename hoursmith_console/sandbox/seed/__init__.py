"""Demo workspace: half a year of realistic data, the same on every machine except for dates."""
