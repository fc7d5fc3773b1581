//! The minimal input of a model, made from its schema.
