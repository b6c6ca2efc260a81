"""Block and unblock a token at the gateway."""
