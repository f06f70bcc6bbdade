"""`roftbench advise`: choose a model and a method for a table with few labels, within a budget."""
