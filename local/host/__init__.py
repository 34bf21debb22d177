"""Runs the function app on one machine, as Azure Functions would (docs/host.md).

host         one function app with its triggers, from start to stop
run          a host until a signal comes, or on a thread of a test
setting      host.json, local.settings.json and the environment
server       the HTTP server; connection bounds what one client may take
http         finds the function for a request; exchange passes body and response through
route        route templates
response     responses of the host itself
admin        /admin routes
worker       the app in Microsoft's worker library; library imports it, proto has its messages
function     a function as the library indexed it
invocation   one run of a function; output sends what it put on queues
trigger      timers, queues and durable functions together
timer        one timer; schedule reads its expression, retry its retry policy
queue        one queue's consumer
durable      hands the work items of the task hub to the app
hub          the task hub as a gRPC server; backend keeps it to what is documented
alarm        durable timers
version      orchestration versions
log          readable and JSON logs; sampling thins them, stack_trace shortens tracebacks
wait         waiting that can end early
"""
