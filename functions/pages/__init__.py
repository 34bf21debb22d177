"""What a browser gets: the first page, the session behind it, and the templates of both."""
