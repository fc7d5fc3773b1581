//! When a model's next heartbeat is due, and whether it may go.
