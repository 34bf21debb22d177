"""What the product is made of, below its doors."""
