//! What is known of a model; `apply` is the only thing that changes it.
