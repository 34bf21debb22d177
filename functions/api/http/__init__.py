"""What every route of the API shares.

access, route       roles of operations, and a route that checks the role before it reads the body
body, response      strict reading of requests; responses with an ETag, pages, accepted work
problem             errors as problem documents (RFC 9457)
envelope, head      correlation id and security headers; HEAD for every GET
idempotency         the same key and body have one effect and one answer
stream              server-sent events
"""
