"""File-system machinery by descriptor: open, walk, measure, delete. Knows nothing of entries or bases."""
