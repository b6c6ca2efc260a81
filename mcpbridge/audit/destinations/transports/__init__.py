"""The protocols that a log destination speaks: webhook, syslog, file."""
