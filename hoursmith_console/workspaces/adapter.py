"""How allauth behaves here: people are invited, nobody signs up by themselves."""

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import reverse

from mcpbridge.addresses import client_address, parse_networks


class AccountAdapter(DefaultAccountAdapter):
    """Closes sign-up, and counts attempts by the address that really asks."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address whose attempts are counted; behind trusted proxies the one that they vouch for."""
        # ASGI has joined repeated headers with commas, in their order.
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
        trusted = parse_networks(settings.TRUSTED_PROXIES)
        address = client_address(request.META.get("REMOTE_ADDR"), [forwarded] if forwarded else [], trusted)
        if not address:
            raise PermissionDenied("The request has no address.")
        return address

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("console:index")
