#!/usr/bin/env python
"""Run the console's management commands."""

import sys

from hoursmith_console.command_line import manage

if __name__ == "__main__":
    manage(sys.argv)
