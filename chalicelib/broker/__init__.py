"""Verbs: the use cases, one small class per noun. What they need is in `ports`; they know no gateway and no table."""
