"""The HTTP side: metrics, health, reports as JSON, and who may see the pages."""
