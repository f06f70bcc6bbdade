"""Names of the columns that predictions add to a table. Imports nothing heavy."""

# Ends of the columns of a task, behind its name.
PREDICTED, PROBABILITY, STD, LOW, HIGH, NEIGHBOR, SET = (
    "_predicted", "_probability", "_std", "_low", "_high", "_neighbor", "_set",
)  # fmt: skip
# Columns of a molecule: its similarity to the nearest training molecule, that molecule's row, identifier and SMILES,
# whether the molecule is inside the domain, and why it has no prediction.
SIMILARITY, ROW, ID, SMILES = "similarity", "neighbor_row", "neighbor_id", "neighbor_smiles"
DOMAIN, REASON = "in_domain", "reason"
