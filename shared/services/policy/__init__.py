"""Read which policies are in force, and what they consist of.

effective_policy   the policies in force, compiled once per process and version of the aliases
catalog            the policies of the packaged catalog
assignment         the assignments that bring policies into force
initiative         initiatives: each member with its definition, each parameter with its members
alias              what is known of aliases
alias_listing      a tenant's own listing of aliases, read from its cloud
"""
