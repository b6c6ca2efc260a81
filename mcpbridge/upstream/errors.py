"""What can go wrong on the way to Hoursmith; an answer with an error status is an answer, not an exception.

UpstreamError
├── UpstreamUnreachableError   no connection: nothing was sent
├── UpstreamTimeoutError       sent, no whole answer within the time limit: it may have been carried out
├── UpstreamDroppedError       the line broke while waiting: it may have been carried out
└── UpstreamResponseError        an answer that cannot be used: it was probably carried out
    ├── UpstreamRedirectError      it wanted us to go elsewhere; tokens do not travel
    ├── UpstreamTooLargeError      longer than MAX_RESPONSE_BYTES
    └── UpstreamMalformedError     not the JSON that the contract promises
"""


class UpstreamError(Exception):
    """Hoursmith gave no usable answer."""

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
