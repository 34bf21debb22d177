"""A sandbox cloud that speaks Resource Manager's REST dialect."""
