"""Lets destructive calls of a workspace wait for a person, where the workspace wants that.

A request is for one call: one token, one tool, the very same arguments. Consent is used up by the call that leaves on
the strength of it; whoever makes the same call twice is let through once. What is asked, and what was decided by
whom, is in the record before anything is sent.
"""
