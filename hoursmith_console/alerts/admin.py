"""Serve the section in the console's site. Django's admin imports this module at the start."""

from hoursmith_console.alerts.pages.section import AlertSection
from hoursmith_console.core.site import site

site.add(AlertSection(site))
