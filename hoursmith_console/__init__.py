"""The console: where people see what their AI assistants did, and rotate the tokens they hold."""
