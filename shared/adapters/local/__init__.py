"""Everything on one machine, without a cloud: files, SQLite and signed tokens.

documents   `Documents` in a SQLite file
query       a query as SQLite's SQL
facet       the narrow tables that its filters read
queue       `Queue` in a SQLite file
sqlite      a SQLite file shared by threads and processes
file        how such a file is made, recognized and checked for damage
blobs       `Blobs` in a folder of files
private     files and folders that only their owner can read
identity    `Identity` by signed tokens, or for nobody
catalog     `Catalog` from the packaged folder
inventory   `Inventory` where no cloud is connected
control     `Control` where no cloud is connected
"""
