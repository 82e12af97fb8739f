"""Ways to endpoints, one module per channel; `addresses`, `lanes` and `signing` are what they need."""
