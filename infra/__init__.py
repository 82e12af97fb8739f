"""The half of OpenMNS that is not deployed: local runtime, provisioning, command line, benchmarks."""
