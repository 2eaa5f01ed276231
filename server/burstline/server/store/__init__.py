"""What outlives the process: tables, one writing thread, upgrades."""
