"""The protocols that a log target speaks: webhook, syslog, file."""
