"""How people sign in: the pages and adapters around django-allauth, invitations, and who is let in."""
