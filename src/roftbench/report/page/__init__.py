"""The report as one HTML page, with its data and JavaScript."""
