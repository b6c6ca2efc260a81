"""Authorizations: assistants that signed in with a token, as the console shows and ends them."""
