"""Remediations: request fixes, plan them, have the plan approved, carry it out, put it back.

- `record`: the streams of remediations and of their items, and how either is decided on
- `selection`, `request`: which findings are meant, and the request that is recorded
- `overlap`: what another open remediation is about already
- `fix`, `simulation`, `item_plan`, `plan`: what a policy wants, all fixes of one resource on paper, the plan in batches
- `progress`: which items have work left, and what the workflow does next
- `approval`, `rollback`: what people decide on a plan, and on what was done
- `execution`: observe the resource of an item, record what `domain/item_step.py` makes of it
- `ending`: how a remediation ends, by itself or because nothing helps any more
- `query`: what is shown of remediations, their items and plans
"""
