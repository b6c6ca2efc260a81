"""The served help: the product’s documents as searchable pages, and two sentences about each page."""
