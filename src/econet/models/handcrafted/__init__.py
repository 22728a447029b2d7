"""Features that people designed, each under a linear classifier: what learned features were held against in 2012."""
