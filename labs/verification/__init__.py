"""`python -m labs verify`: blocks beside independent references, in value and in gradient."""
