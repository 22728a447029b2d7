"""Stories: steps one after the other, no loop of their own."""
