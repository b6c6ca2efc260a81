"""One search over everything that a member may see."""
