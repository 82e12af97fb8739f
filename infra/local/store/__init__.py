"""The messages of queues, in tables of their own in the embedded engine's file: docs/adr/0023-messages-in-sql.md."""
