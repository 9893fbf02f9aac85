"""Pictures of single labs, where there are so many that they would hide what the lab does."""
