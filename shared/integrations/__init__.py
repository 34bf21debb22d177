"""Products that customers bring, one file each."""
