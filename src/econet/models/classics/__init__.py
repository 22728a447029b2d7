"""Networks others designed."""
