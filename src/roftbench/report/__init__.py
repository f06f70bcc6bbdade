"""From records to tables: pure functions of the records of jobs."""
