"""The command line: plans in; progress, tables, reports and exit codes out."""
