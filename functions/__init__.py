"""The doors: triggers that parse, call a service and answer."""
