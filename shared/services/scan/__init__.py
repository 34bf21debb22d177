"""Scan an estate: list what there is to scan, collect it, judge it, and say how far that has come.

scan                    request, run, cancel and finish scans; each step is bounded, and safe to do twice
nightly                 how a nightly scan collects
target                  the subscriptions that there are to scan
subscription_progress   how far a scan is in each of its subscriptions
lock                    one scan at a time in a tenant
"""
