"""Promises: one protocol per external system, kept by adapters.

documents    JSON records with etags, filters and pages
generations  which copy of the projected documents is in use
blobs        bodies too large for a document
queue        messages, delivered at least once
inventory    what exists in the cloud, read page by page
control      single reads and guarded writes of resources
call_budget  how many calls the cloud still takes, shared by all instances
catalog      what the product ships: policies, initiatives, frameworks, resource types
identity     who a token was given to
clock        time and new ids
"""
