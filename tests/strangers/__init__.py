"""Files from strangers: damaged ones by the thousand, each refused in one line or as good as it was."""
