"""Read inventories that other tools exported, streaming, in memory bounded by one record.

inventory_reader   every record becomes a resource, or a reason why it could not
record_scanner     the records of a JSON text of any length, over the buffer
record_text        the text of one record, and what it was found in
seen_ids           the ids of a file of millions
template           the resources of a template
powershell         resources as PowerShell spells them
bracket            patterns that go to the next bracket
buffer             the part of the text that is being looked at
page_tracker       whether pages of a list go on to the last one
decompression      plain UTF-8 out of gzip, UTF-16 and UTF-32
hint               what a file without resources seems to be
"""
