"""Come to verdicts.

verdict      a policy and a resource come to a verdict; related: what existence conditions look up
effective    a policy where it is in force; policy_set: all of them, indexed by what each can be about
plan         what to run for one type of resource
evidence     which conditions decided, what they saw, and what was not read
"""
