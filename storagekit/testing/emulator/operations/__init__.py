"""What services have in common: objects, uploads, listings, and the store that they work on, in any dialect."""
