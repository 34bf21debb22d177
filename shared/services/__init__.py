"""What the product does: plain functions that use ports, for the caller of a `Store`.

scan             list, collect and judge an estate
estate           what is known of a subscription, and what the policies in force say of it
import_job       inventories that other tools exported
finding          findings, and how verdicts change them
evaluation       verdicts on request, explained
compliance       the summary, and the trend
exemption        exemptions from policies in force
remediation      fixes: planned, approved, carried out, rolled back
policy           the policies in force, and what they consist of

installation     diagnosis, permissions, heartbeats, metrics, usage
retention        remove what has been kept long enough
rebuild          make all documents again from the streams
reconciliation   start lost workflows again
poison           messages that failed on every delivery

read_model       read documents as models, within what the caller may see
version_cache    what was made of a document, by its version
content          bulk in blobs, named by its hash
idempotency      idempotency keys
message          the body of queue messages
"""
