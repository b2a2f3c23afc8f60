"""Taskline's server: pages, REST, websockets, and the store of tasks and events."""
