"""What goes wrong on demand: throttling, errors, delays, responses that are cut short or garbled.

fault       the kinds of faults, and which requests they apply to
corruption  responses whose bodies a fault changes
"""
