"""Loads the libraries that the application stands on, so that worker processes have them by being forked.

The server's master imports this. A worker then starts in a third of the time, a new one after a crash too, and the
workers share the memory. Nothing of the product is loaded here, nor what is told by settings how to behave: SIGHUP
gets new workers that load all of that anew. The counters' library stays out, since it decides once and for all where
it counts (see `server.prometheus`).
"""

import aiohappyeyeballs
import cryptography.hazmat.primitives.serialization
import django.contrib.admin
import django.core.asgi
import django.core.management
import django.db.migrations
import django.db.models
import django.forms
import gunicorn.workers.gasgi
import httpcore
import httptools
import httpx
import jsonschema_rs
import mcp.server
import mcp_types.methods
import orjson
import psycopg
import requests
import rfc8785
import uvloop
