"""Load the libraries that the application uses, so that forked worker processes have them.

The server's master imports this. A worker then starts in a third of the time, a new one after a crash too, and the
workers share the memory. Nothing of the product is loaded here, and nothing that depends on settings: SIGHUP
starts new workers that load these again. The counters' library stays out, since it decides once and for all where
it counts (see `server.prometheus`).
"""

import aiohappyeyeballs
import cryptography.fernet
import cryptography.hazmat.primitives.kdf.hkdf
import cryptography.hazmat.primitives.serialization
import django.contrib.admin
import django.core.asgi
import django.core.management
import django.db.migrations
import django.db.models
import django.forms
import fido2.server
import gunicorn.workers.base
import httpcore
import httptools
import httpx
import jsonschema_rs
import jwt
import markdown_it
import mcp.server
import mcp_types.methods
import orjson
import psycopg
import qrcode
import requests
import rfc8785
import uvicorn.protocols.http.httptools_impl
import uvloop
