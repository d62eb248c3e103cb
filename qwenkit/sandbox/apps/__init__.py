"""Applications of Model Studio: agents and workflows, called by their id."""
