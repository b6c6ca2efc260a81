"""The leak desk: tokens found where they should not be, contained one by one or all at once."""
