"""What became of somebody's tasks that they have not read yet."""
