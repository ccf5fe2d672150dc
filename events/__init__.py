"""What happened: facts in past tense, their admission, codec, log and history."""
