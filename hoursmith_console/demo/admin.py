"""Serve the app's pages in the console's site. Django's admin imports this module at the start."""

from django.urls import include, path

from hoursmith_console.core.site import site

site.add_urls(path("demo/", include("hoursmith_console.demo.urls")))
