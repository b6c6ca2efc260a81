"""Lists that cost the same on every page: filters, keyset pagination, live updates."""
