"""The people of the workspace: who comes into the console, how, and with which tokens."""
