"""Remove what has been kept for long enough.

retention       find and remove, in bounded runs that are recorded
expiry          how long each kind of document is kept
orphaned_blob   blobs that no event names any more
"""
