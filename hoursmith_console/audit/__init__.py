"""The destructive calls: what was asked, what was lost, how it ended."""
