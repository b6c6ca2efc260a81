"""Block many tokens, or request their rotation or revocation: selection, preview, stored job, progress."""
