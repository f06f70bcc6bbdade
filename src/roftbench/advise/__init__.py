"""`roftbench advise`: which model and method to use for a table of few labels, found out within a budget."""
