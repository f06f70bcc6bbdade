"""Tables of molecules and labels: reading cells, guessing columns, streaming rows."""
