"""Turn the tree of a policy into functions, specialised by resource type.

policy            a compiled policy, ready to judge; initiative: the values that its members get
compiler          the tree of a rule to clauses; clause: the test that runs, and what an explanation needs
evaluate, count   operands and counts as functions; field, path: the functions that read properties
scope             what the compiler knows while it compiles
effect            effects and their details; applicability: whether a policy is about a resource at all
code_generation   one function out of many rules; step_budget: bounded work on large values
"""
