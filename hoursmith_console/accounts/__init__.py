"""How people sign in: second factors, sessions, OpenID Connect. Who they are to a workspace is in `workspaces`."""
