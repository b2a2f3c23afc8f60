"""Taskline's tests: real PostgreSQL, Redis, RabbitMQ and Chromium, no stand-ins."""
