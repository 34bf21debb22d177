"""Azure's own services behind the ports.

Stores:
documents             `Documents` in Cosmos DB
connection            its connection, made safe for several threads
key                   partition keys, item ids and the indexing policy of its container
query                 a query as Cosmos DB's SQL
request_unit          request units spent, by operation
blobs                 `Blobs` in Blob Storage
queue                 `Queue` in Queue Storage
account               the clients of a storage account
storage_error         errors of Cosmos DB and Storage as the product's own

The cloud that is governed:
inventory             `Inventory` over Resource Graph and Resource Manager
graph                 pages of a Resource Graph query
continuation_token    where a listing goes on, in any process
related               children and extensions of a page's resources, read in parallel
resource_body         one body, whichever way it was read
resource_type         how each type is spelled, read and listed
hierarchy             management groups and subscriptions
permission            the permission self-test
control               `Control`: reads and guarded writes by id

Requests to Azure Resource Manager:
arm                   one pipeline per tenant; single reads and lists
retry_policy          retries, call budget, Resource Graph's quota, authentication
address               addresses, parsed in one way by all who check or use them
transport             HTTP over kept connections; responses are bounded in size and time
response_deadline     responses that end in time, whatever the server sends
decoding              response bodies as JSON
response_validation   what a response must look like
arm_error             ARM's error responses as the product's own errors
login                 the credential of this process
"""
