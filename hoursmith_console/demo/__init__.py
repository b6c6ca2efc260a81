"""Play two weeks of assistants' work in the sandbox, through the gateway, so that every page has something to show.

A process of its own plays them (`python -m hoursmith_console.demo`), with a clock that runs through the two weeks. All
rows are written by the product as its real calls and actions come in; none is made by hand or changed afterwards.
"""
