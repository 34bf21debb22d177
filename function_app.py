"""The front door: one app, every blueprint, nothing else."""

import azure.durable_functions as df
import azure.functions as func

from functions import alias, change, exemption, http, remediation, scan, transfer

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)

for door in (http, scan, change, transfer, remediation, exemption, alias):
    app.register_functions(door.bp)
