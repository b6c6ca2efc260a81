"""The REST API v1 of the embedded workspace, as `hoursmith-api` (the contract) describes it.

`resources/` says what there is; everything else here is what they share. The way of a request is in `dispatch`.
"""
