"""Doors of the deployed app: the API's table of operations, the Chalice routes in front of it, the workers behind."""
