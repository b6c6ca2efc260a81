"""What assistants and people are told about tokens that are to be replaced."""
