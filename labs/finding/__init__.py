"""From a word of the notes to the code, the labs and the tests; and the map of the notes, which it makes."""
