"""DynamoDB's client methods on one SQLite file, called directly: no HTTP, no botocore client in between.

`engine.EmbeddedEngine` is the way in. A call passes these rooms, outermost first:

    engine        the public methods, the lock, the gate that turns refusals into ClientError
    requests      which parameters a method takes, and the checks that need no table
    expressions   condition, update, filter, key and projection expressions, compiled once and cached
    writes reads transactions streams expiry    what the methods do
    catalog tables layout schema                which tables exist and how they lie in SQLite
    database      the file: opening, checking, transactions, batches
    checkpoints   carries the log into the file, beside the work
    values sizes capacity keys decimals codec longs   attribute values, their sizes, prices, order and storage form
"""
