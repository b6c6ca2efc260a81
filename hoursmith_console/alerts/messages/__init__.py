"""What alerts say: content, and its form for each kind of channel."""
