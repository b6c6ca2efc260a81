"""The console's addresses as they are where mail is configured."""

from django.urls import include, path

from hoursmith_console.sign_in.urls import password_reset_urlpatterns
from hoursmith_console.urls import urlpatterns as usual

urlpatterns = [path("accounts/", include(password_reset_urlpatterns)), *usual]
