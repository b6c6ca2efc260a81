"""The demo workspace: believable work of half a year, the same on every machine but for the calendar."""
