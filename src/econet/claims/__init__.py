"""The paper of 2012 as experiments: one file a claim."""
