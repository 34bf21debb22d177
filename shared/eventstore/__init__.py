"""The event store: typed, versioned events in streams, the one way to decide on them, and their projections."""
