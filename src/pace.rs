//! How many creates an account allows, and which of its models that can carry.
