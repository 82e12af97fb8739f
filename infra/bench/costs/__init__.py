"""What a deployment costs: units counted on the embedded engine, times public prices."""
