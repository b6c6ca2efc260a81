"""The pages on which a person lets an assistant use their Hoursmith token."""
