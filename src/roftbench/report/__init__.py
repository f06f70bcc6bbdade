"""From records to tables: pure functions over what the jobs left behind."""
