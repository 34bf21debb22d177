"""Resource Manager's REST API, as far as the product speaks it.

router          which handler serves a path
address         what a path points at
resource        one resource by id
child_resource  resources kept within another one's body
document        bodies after a PUT or a PATCH
listing         collections, page by page
hierarchy       management groups
tag             tags as a resource of their own
lock            locks that forbid writes
operation       long-running operations
provider        resource providers and their aliases
resource_type   the types with their api-versions
http            requests and responses
error           error responses
"""
