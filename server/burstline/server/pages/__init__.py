"""What people see in a browser: a report as one file that needs no network, and the control plane's pages."""
