"""Serves the console's static files."""

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile
from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Hashed names, in the imports between our script modules too."""

    # Django's own switch for this stumbles over the modules that packages bring along.
    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        (
            "console/*.js",
            (
                (
                    r'(?m)^(?P<matched>import(?P<names> [^;]*?) from "(?P<url>\./[^"]*)";)$',
                    'import%(names)s from "%(url)s";',
                ),
            ),
        ),
    )


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise with whole answers.

    Its own are synchronous streams, at each of which Django warns under ASGI and which it gathers in memory
    all the same. Our files are small, compressed beforehand, and cached by the browser for good.
    """

    @staticmethod
    def serve(static_file: StaticFile, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        content = b""
        if found.file is not None:
            with found.file:
                content = found.file.read()
        response = HttpResponse(content, status=int(found.status))
        del response["content-type"]
        for key, value in found.headers:
            response[key] = value
        return response
