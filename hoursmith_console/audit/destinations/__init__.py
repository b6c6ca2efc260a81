"""Pages and forms of log destinations."""
