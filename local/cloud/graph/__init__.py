"""Resource Graph: queries over all subscriptions.

endpoint   the REST call, page by page
kql        the part of the query language that collectors use, as SQL
change     what was written, as rows of the tables of changes
container  subscriptions, resource groups and management groups as rows
"""
