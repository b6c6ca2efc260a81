"""The pages of one rotation, from where it begins to where it is done."""
