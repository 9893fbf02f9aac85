"""`python -m labs explain`: why the model of a finished run says what it says of one case."""
