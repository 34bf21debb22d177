"""Operate an installation: what works, what is missing, and what it costs.

diagnosis    check stores, the cloud and its permissions, events, queues and timers
permission   try the calls that a scan makes
heartbeat    when timers last ran and events last came
gauge        metrics over all tenants
usage        request units that the stores have charged
"""
