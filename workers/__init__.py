"""What works: claims tasks, runs them on the loop, in a thread or in a child process, and says how they ended."""
