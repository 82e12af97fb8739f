"""Moving from one MNS service to another: what there is, as a file, made again elsewhere, messages and all."""
