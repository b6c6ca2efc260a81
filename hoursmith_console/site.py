"""The one admin site: who may enter, the menu, the address of each area."""

from django.contrib.admin import AdminSite


class ConsoleSite(AdminSite):
    """The console, on Django's admin."""


site = ConsoleSite(name="console")
