"""The front page: the loop, the six stages at work on one text, and the switchboard."""
