"""One fine-tuning job: load, train the stages, finish, score and record."""
