"""The Functions app: one app with every blueprint, nothing else."""

import azure.durable_functions as df
import azure.functions as func

from functions import (
    alias,
    change,
    exemption,
    http,
    import_job,
    poison,
    rebuild,
    remediation,
    retention,
    scan,
    workflow,
)

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for door in (http, scan, change, import_job, remediation, exemption, alias, poison, workflow, retention, rebuild):
    app.register_functions(door.bp)
