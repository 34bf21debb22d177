"""The vocabulary: frozen models, tables of allowed moves, errors. Pure; everything else may import it.

Ground: model, error, page, event, identity, poison, usage, validation_message
Azure's resources: resource, arm_id, body, stored_resource, inventory, alias, call_budget
Policies: policy, initiative, assignment, verdict, evaluation, test_case, lint
Governance: finding, exemption, compliance, estate and estate_event, scan and scan_event, import_job
Remediation: remediation, remediation_event, remediation_transition, plan, item, item_event, item_step, lock, tag
Operation: progress, transition, rebuild, retention, diagnosis, timestamp
JSON: json_text (strict), decoding (fast), jsonc (comments, trailing commas), canonical (RFC 8785), nesting, difference,
truncation, printable, spelling
"""
