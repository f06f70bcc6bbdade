"""Models that are kept, and what they say of new molecules."""
