"""The control plane: gRPC services, dispatch, store, judging, metrics."""
