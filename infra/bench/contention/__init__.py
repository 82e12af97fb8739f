"""A model of many consumers on few partitions: the real verbs, on a throttled engine, in virtual time."""
