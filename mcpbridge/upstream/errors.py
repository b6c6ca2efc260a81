"""Errors of a request to Hoursmith. A response with an error status is a response, not an exception.

UpstreamError
├── UpstreamUnreachableError   no connection: nothing was sent
├── UpstreamTimeoutError       sent, no complete response within the time limit: may have been carried out
├── UpstreamDroppedError       the connection was lost while waiting: may have been carried out
└── UpstreamResponseError        an unusable response: was probably carried out
    ├── UpstreamRedirectError      a redirect, which is not followed: the token stays at this origin
    ├── UpstreamTooLargeError      longer than MAX_RESPONSE_BYTES
    └── UpstreamMalformedError     not the JSON of the contract
"""


class UpstreamError(Exception):
    """Hoursmith gave no usable response."""

    code = "upstream_error"
    status = 502
    may_be_done = True


class UpstreamUnreachableError(UpstreamError):
    code = "upstream_unreachable"
    may_be_done = False


class UpstreamTimeoutError(UpstreamError):
    code = "upstream_timeout"
    status = 504


class UpstreamDroppedError(UpstreamError):
    code = "upstream_dropped"


class UpstreamResponseError(UpstreamError):
    code = "upstream_answer"


class UpstreamRedirectError(UpstreamResponseError):
    code = "upstream_redirect"
    may_be_done = False


class UpstreamTooLargeError(UpstreamResponseError):
    code = "upstream_too_large"


class UpstreamMalformedError(UpstreamResponseError):
    code = "upstream_malformed"
