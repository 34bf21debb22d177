"""Everything that stands in for Azure on one machine.

host/              runs the function app: HTTP, timers, queues and durable workflows
cloud/             a sandbox cloud that speaks Resource Manager and Resource Graph
estate             the resources of a generated tenant, streamed from a seed
workload           which resources lie together in a resource group
resource_template  one resource type as a template, compiled to text with choices
estate_types/      the templates
assignments/       what is assigned in the sample estate
"""
