"""Azure Cosmos DB for the tests: a stand-in that keeps the items, and in front of it what the real service does too.

| what | where it is written | what the front does |
|---|---|---|
| an item has at most 2 MB, as has a request | Service quotas and default limits | 413 |
| an id has at most 1,023 bytes and none of `/ \\ ? #` | as above; Database.CreateItem | 400 |
| a partition key value has at most 2,048 bytes | Service quotas and default limits | 400 |
| objects and arrays nest at most 128 deep | as above | 400 |
| a batch has at most 100 operations and 2 MB | Transactional batch operations | 400, 413 |
| a batch is done as a whole or not at all | as above | undoes what was done, 424 for the others |
| every response has its charge in request units | Request Units in Azure Cosmos DB | x-ms-request-charge |
| over the provisioned units a second nothing is done | Request rate too large | 429, 3200, x-ms-retry-after-ms |
| a session reads its own writes, others may not yet | Consistency levels | reads before the write, `lag` times |
| items are gone when their time to live is over | Time to live (TTL) | removes them before anybody looks |
| a query without a partition key names that | Querying resources using the REST API | 400 |
| 404/1002, 408, 410, 449, 503, a lost answer | HTTP status codes for Azure Cosmos DB | `faults` |
| a composite index serves both directions | Indexing policies | adds the other one |

Not imitated: sizes of pages and of continuation tokens, several regions, strong and bounded staleness. Queries and
groups are never stale here.
"""
