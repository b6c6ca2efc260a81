"""The pages of the tokens in use: list, details, blocking, claims. They show what every other app knows of a token."""
