"""The REST API v1 of the embedded workspace, as `hoursmith-api` (the contract) describes it.

`resources/` declares the endpoints; the other modules are shared. `dispatch` handles a request.
"""
