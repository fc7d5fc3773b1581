//! The embedded stand-in for Replicate and Cog: real HTTP on loopback, scale to zero, ground truth kept apart.
