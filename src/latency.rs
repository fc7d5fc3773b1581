//! Latency histograms: bounds, recording, merging, percentiles.
