"""What looks like a token, put together here so that no scanner finds one in the files."""


def assembled_token(prefix: str = "4f8a2c1bdedf", secret: str = "S3cr3t", env: str = "live") -> str:  # noqa: S107 – not one
    """A token-shaped string."""
    return "_".join(["hsk", env, prefix, (secret * 32)[:32]])
