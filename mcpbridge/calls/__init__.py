"""Run tool calls: identity, checks, approval, the request to Hoursmith, and the audit and activity rows."""
