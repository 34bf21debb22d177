"""Keep what is known of a subscription: its resources as they were read, and what the policies in force say of them.

estate           the one place that records what changed and projects it to documents
collection       read the cloud page by page, all of it or what has changed
collection_page  what a collection reads next
absence          read by id what a collection did not see, before it counts as gone
comparison       what a verification finds different
change           take change events of the cloud and judge what they name
judgement        judge the stored resources, page by page
verdict_cache    what came of each resource, so that the next judgement repeats only what may have changed
assessment       judge some resources and add up what comes of it: counts, and the findings that change
surroundings     what counts for a resource besides itself
resource         the stored form of a resource, and the lists of them
resource_change  what readings of resources change of what is stored
"""
