"""Times in the reader's zone: which zone that is, spans such as last night, and how pages write times."""
