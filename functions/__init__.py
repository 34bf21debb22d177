"""The doors: triggers that parse their input, call a service and answer."""
