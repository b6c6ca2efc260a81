"""Who mints and revokes tokens: the sandbox itself, or Hoursmith's own page."""
