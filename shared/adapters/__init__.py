"""The world we run on: one package per platform, and what its adapters share.

azure        Cosmos DB, Blob and Queue Storage, Azure Resource Manager and Resource Graph
local        files, SQLite and signed tokens on one machine; nothing where no cloud is connected

Over any document store:
large        bodies of any size, the large ones in blobs
generation   the generation in use of the documents that follow from events
index        which fields of each kind are indexed
call_budget  `CallBudget`: calls of the cloud, leased some at a time by each instance

What all stores check before they take anything:
record       names, ids and bodies of documents and blobs
listing      queries, pages, cursors and counts
message      queue messages
probe        write something small and read it back

closing      adapters as context managers
throttling   how often clouds and stores asked this process to wait
"""
