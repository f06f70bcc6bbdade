"""What each atom of a molecule contributes to the prediction of a saved model."""
