"""The console's addresses as they are where mail is configured."""

from django.urls import include, path

from hoursmith_console.urls import urlpatterns as usual
from hoursmith_console.workspaces.urls import password_reset_urlpatterns

urlpatterns = [path("accounts/", include(password_reset_urlpatterns)), *usual]
