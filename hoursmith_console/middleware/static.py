"""Serve the console's static files."""

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile
from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Static file storage with hashed names, also in the imports of our script modules, that only its user can read."""

    # Django's support_js_module_import_aggregation fails on modules of installed packages.
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

    def __init__(self) -> None:
        # Django would let others read them, too.
        super().__init__(file_permissions_mode=0o600, directory_permissions_mode=0o700)


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """WhiteNoise with complete responses instead of streams.

    Under ASGI, Django warns about WhiteNoise's synchronous streams and buffers them anyway. Our files are small,
    pre-compressed and cached by browsers indefinitely.
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
