"""Recording: symbolic sizes, the graph, its passes, and `trace`."""
