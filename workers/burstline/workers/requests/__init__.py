"""From a plan's request to its bytes: templates, tokens, signatures."""
