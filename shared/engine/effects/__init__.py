"""Compute what an effect would do: its details for one resource, and the body after it.

detail        the details of an effect with every expression computed
application   applies append and modify to a body
deployment    what deployIfNotExists deploys
"""
