"""The friendly spelling of plans and accounts: pydantic models of the YAML, and their way into protos."""
