"""From samples to windows."""
