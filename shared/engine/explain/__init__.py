"""Explain verdicts.

explanation       the whole tree of a rule with what each condition saw and which clauses decided
fix               the smallest set of property changes that makes a resource compliant
fix_application   applies exact fixes to a body
"""
