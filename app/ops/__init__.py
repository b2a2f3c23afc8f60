"""Operating the service: logs."""
