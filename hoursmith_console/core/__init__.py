"""The page framework: the admin site, views, lists, permissions. Imports no area of the console."""
