"""A bounded model of how tasks are claimed, kept alive, ended and taken over, and a checker that tries everything that can happen to it."""
