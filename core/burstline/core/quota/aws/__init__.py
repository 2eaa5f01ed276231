"""What was read from AWS, and what it confirms or refutes; no I/O."""
