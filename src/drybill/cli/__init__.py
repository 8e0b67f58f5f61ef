"""The command line: one file per command. They parse, call the flow, and hand to the report."""
