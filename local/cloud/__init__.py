"""A sandbox cloud that speaks Resource Manager's REST dialect and Resource Graph's queries.

arm/         resources, lists, locks, tags, operations and providers over HTTP
graph/       queries over all subscriptions
faults/      what goes wrong on demand
app          a request from its bytes to its response
cloud        what the handlers share: store, faults, clock
store        the resources and the log of writes in one SQLite file
token        bearer tokens, which name their principal
quota        rate limits of each principal
admin        faults, drift, tokens and counts for tests
event        a webhook gets every write as an Event Grid event
generation   an estate written into an empty store
drift        changes that an estate undergoes by itself
listener     the socket and its connections
server       a running sandbox cloud
"""

from local.cloud.server import Sandbox, sandbox

__all__ = ["Sandbox", "sandbox"]
