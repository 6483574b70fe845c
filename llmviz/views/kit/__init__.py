"""What the pictures of all stages are made of. The kit knows no stage; its names are imported from its modules."""
