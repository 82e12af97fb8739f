"""The benchmark: OpenMNS and its peers, side by side in one run, on the same work (`python -m infra.bench`).

`cli` plans a run, `subjects` starts what is measured, `load` is the load generator in a process of its own, `rates`,
`backlog`, `parked`, `startup` and `kills` are the cases, `report` and `plots` write what was found. Every figure is the
median of repetitions that alternate between the subjects, and stands beside the share of CPU the generator took.
"""
