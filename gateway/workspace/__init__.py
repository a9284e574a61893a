"""The folder of an operator: settings, products, keys by name, roots, what was decided."""
