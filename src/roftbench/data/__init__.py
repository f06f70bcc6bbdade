"""From tables of molecules to labeled, packed graphs and their splits."""
