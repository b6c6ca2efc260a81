"""The longest lifetimes that settings may ask for."""

# Access envelopes are never valid for longer, whatever OAUTH_ACCESS_HOURS was; ended grants are remembered for longer.
MAX_ACCESS_HOURS = 24
# An envelope counts 65,535 generations, of which a grant uses up one in two minutes.
MAX_GRANT_DAYS = 90
