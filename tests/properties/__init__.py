"""What must hold for any order of moves."""
