"""Require approval for destructive calls, in workspaces that want it.

A request is for one call: one token, one tool, identical arguments. An approval is consumed by the call that is sent
with it; making the same call twice needs two approvals. The request and the decision are in the audit log before
anything is sent.
"""
