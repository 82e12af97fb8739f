"""The `mns` command."""
