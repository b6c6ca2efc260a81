"""How many cases property-based tests generate: all of them in `make test`, a tenth in `make test-fast`."""

from hypothesis import settings

# What Hypothesis generates where nobody says otherwise, and in `make test-fast`.
USUAL, FAST = 100, 10
settings.register_profile("fast", max_examples=FAST)


def examples(usual: int) -> int:
    """Return how many examples to generate instead of `usual`, under the profile that was chosen."""
    chosen = settings.default
    return max(1, usual * chosen.max_examples // USUAL) if chosen else usual
