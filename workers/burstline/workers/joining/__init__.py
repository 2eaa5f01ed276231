"""The worker's end of the stream to the control plane."""
