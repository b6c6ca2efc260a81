"""Witnesses: servers of other parties that cosign each checkpoint if it continues the last one (C2SP tlog-witness)."""
