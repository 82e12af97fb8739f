"""The verbs' tables: one module per table, on the DynamoDB client methods of `client.Client` and nothing else."""
