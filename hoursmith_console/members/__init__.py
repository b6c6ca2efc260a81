"""Members of the workspace: console access, invitations and tokens."""
