"""Schedules: a workload with its params, started at a time or at the times of a cron expression."""
