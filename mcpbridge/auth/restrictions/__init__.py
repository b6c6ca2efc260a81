"""What people in the console order the bridge to do with a token: block it, freeze it, tell it something.

An order can only narrow what a token may do, never widen it. Each takes effect on the next request, on every worker
and machine (`reading`), and each is recorded in the same transaction as it is given.
"""
