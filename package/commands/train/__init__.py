"""The commands `route-sql train ...`."""
