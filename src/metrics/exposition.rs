//! The list of metrics: names, help, labels, and where each figure comes from.
//!
//! Base units, `_total` on what is counted, never a URL or a secret in a label. What is counted has its
//! series from the start on, at nought: else Prometheus would miss the first of a kind, and a model's first
//! boot is often its only one.

use super::counts::{Buckets, Counts, ModelCounts};
use super::process::Usage;
use crate::heartbeat::Outcome;
use crate::journal::State;
use crate::status::assemble::{LiveModel, LiveStatus};
use chrono::{DateTime, Utc};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::time::Duration;

/// All metrics, as OpenMetrics 1.0.0.
pub(super) fn open_metrics(live: LiveStatus, counts: Counts, process: Usage) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape { live, counts, process, nothing: ModelCounts::default() }));
    let mut page = String::new();
    text::encode(&mut page, &registry).expect("a String takes what is written to it");
    page
}

/// What is scraped, as it was at one instant.
#[derive(Debug)]
struct Scrape {
    live: LiveStatus,
    counts: Counts,
    process: Usage,
    nothing: ModelCounts,
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let page = &mut Page(&mut encoder);
        self.counters(page)?;
        self.distributions(page)?;
        self.gauges(page)?;
        self.alerts(page)?;
        self.daemon(page)?;
        self.process(page)
    }
}

impl Scrape {
    fn counters(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let help = "Heartbeats that have ended since warmd started, by outcome.";
        page.family("warmd_heartbeats", None, help, MetricType::Counter, |family| {
            self.models().try_for_each(|(live, name, counts)| {
                let provider = if live.model.target.is_replicate() { "replicate" } else { "cog" };
                Outcome::ALL.into_iter().try_for_each(|outcome| {
                    let labels = [("model", name), ("provider", provider), ("outcome", outcome.name())];
                    total(family, &labels, counts.outcomes[outcome as usize] as f64)
                })
            })
        })?;
        let help = "Cold heartbeats that were sent within active hours, those of lead-ins left out.";
        page.family("warmd_cold_in_hours", None, help, MetricType::Counter, |family| {
            self.models().try_for_each(|(_, name, counts)| {
                total(family, &[("model", name)], counts.cold_in_hours as f64)
            })
        })?;
        let help = "Active hours, by how they were spent.";
        page.family("warmd_hours", Some(&Unit::Seconds), help, MetricType::Counter, |family| {
            self.models().try_for_each(|(_, name, counts)| {
                let spent = counts.spent;
                [("warm", spent.warm), ("cold", spent.cold), ("unknown", spent.unknown)]
                    .into_iter()
                    .try_for_each(|(how, time)| {
                        total(family, &[("model", name), ("spent", how)], time.as_secs_f64())
                    })
            })
        })
    }

    fn distributions(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let help = "What a user would have waited for an answer.";
        page.family(
            "warmd_heartbeat_duration",
            Some(&Unit::Seconds),
            help,
            MetricType::Histogram,
            |family| {
                self.models().try_for_each(|(_, name, counts)| {
                    [("warm", &counts.warm), ("cold", &counts.cold)].into_iter().try_for_each(
                        |(outcome, buckets)| {
                            histogram(family, &[("model", name), ("outcome", outcome)], buckets)
                        },
                    )
                })
            },
        )?;
        let help = "How long boots took, where that is known.";
        page.family("warmd_boot_duration", Some(&Unit::Seconds), help, MetricType::Histogram, |family| {
            self.models()
                .try_for_each(|(_, name, counts)| histogram(family, &[("model", name)], &counts.boot))
        })?;
        let help = "From the instant that a heartbeat was due at until it was sent.";
        page.family("warmd_heartbeat_lag", Some(&Unit::Seconds), help, MetricType::Histogram, |family| {
            let lag = &self.counts.lag;
            family.encode_histogram::<NoLabelSet>(lag.sum(), lag.count(), &lag.buckets(), None)
        })
    }

    fn gauges(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let help = "Whether the model is warm: 1, or 0.";
        page.family("warmd_model_warm", None, help, MetricType::Gauge, |family| {
            self.models().try_for_each(|(live, name, _)| {
                gauge(family, &[("model", name)], truth(live.state.0 == State::Warm))
            })
        })?;
        let help = "The model's state: 1 for the one that it is in, 0 for the others.";
        page.family("warmd_model_state", None, help, MetricType::Gauge, |family| {
            self.models().try_for_each(|(live, name, _)| {
                State::ALL.into_iter().try_for_each(|state| {
                    gauge(family, &[("model", name), ("state", state.name())], truth(live.state.0 == state))
                })
            })
        })?;
        let help = "Whether it is within the active hours of an enabled model: 1, or 0.";
        page.family("warmd_window_open", None, help, MetricType::Gauge, |family| {
            self.models().try_for_each(|(live, name, _)| {
                let is_open = live.model.enabled && live.model.hours.at(self.live.at).open;
                gauge(family, &[("model", name)], truth(is_open))
            })
        })?;
        let help = "When the model's next heartbeat is due, in seconds since 1970; missing where none is.";
        page.family(
            "warmd_next_heartbeat_timestamp",
            Some(&Unit::Seconds),
            help,
            MetricType::Gauge,
            |family| {
                self.models().try_for_each(|(live, name, _)| match live.next_at {
                    Some(at) => gauge(family, &[("model", name)], since_1970(at)),
                    None => Ok(()),
                })
            },
        )
    }

    fn alerts(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let help = "Events of alerts that have arrived, and those that were given up.";
        page.family("warmd_alerts", None, help, MetricType::Counter, |family| {
            self.live.alerts.iter().try_for_each(|alert| {
                [("sent", alert.sent), ("dropped", alert.dropped)].into_iter().try_for_each(
                    |(outcome, count)| {
                        total(family, &[("alert", &alert.name), ("outcome", outcome)], count as f64)
                    },
                )
            })
        })?;
        let help = "Events of alerts that are to be sent yet.";
        page.family("warmd_alerts_waiting", None, help, MetricType::Gauge, |family| {
            self.live
                .alerts
                .iter()
                .try_for_each(|alert| gauge(family, &[("alert", &alert.name)], alert.waiting as f64))
        })
    }

    fn daemon(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let help = "Whether the configuration file as it is now is the one that runs: 1, or 0.";
        page.value(
            "warmd_config_last_reload_successful",
            None,
            help,
            truth(self.live.config_error.is_none()),
        )?;
        let help = "When the configuration that runs was read, in seconds since 1970.";
        let loaded = since_1970(self.live.config_loaded_at);
        page.value("warmd_config_last_reload_success_timestamp", Some(&Unit::Seconds), help, loaded)?;
        let help = "Whether the history goes into the state file: 1, or 0 while it waits in memory.";
        page.value("warmd_state_last_write_successful", None, help, truth(self.live.saved))?;
        let help = "The version of warmd, and the commit that it was built from.";
        page.family("warmd_build", None, help, MetricType::Info, |family| {
            let version = [("version", env!("CARGO_PKG_VERSION")), ("revision", env!("WARMD_REVISION"))];
            family.encode_info(&version)
        })
    }

    /// Named as in every program that Prometheus' own libraries instrument.
    fn process(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let process = &self.process;
        let help = "User and system time that the process has taken.";
        page.family("process_cpu", Some(&Unit::Seconds), help, MetricType::Counter, |family| {
            family.encode_counter::<NoLabelSet, _, f64>(&process.cpu.as_secs_f64(), None)
        })?;
        for (name, unit, help, value) in [
            (
                "process_resident_memory",
                Some(&Unit::Bytes),
                "Memory that the process takes.",
                process.resident,
            ),
            ("process_virtual_memory", Some(&Unit::Bytes), "Address space of the process.", process.mapped),
            ("process_open_fds", None, "Open file descriptors.", process.open_files),
            ("process_max_fds", None, "How many file descriptors may be open.", process.most_open_files),
        ] {
            if let Some(value) = value {
                page.value(name, unit, help, value as f64)?;
            }
        }
        let help = "When the process started, in seconds since 1970.";
        page.value("process_start_time", Some(&Unit::Seconds), help, since_1970(self.live.started_at))
    }

    /// Each model, its name, and what was counted of it.
    fn models(&self) -> impl Iterator<Item = (&LiveModel, &str, &ModelCounts)> {
        self.live.models.iter().map(|live| {
            let name = &live.model.name;
            (live, name.as_str(), self.counts.of(name).unwrap_or(&self.nothing))
        })
    }
}

/// Where families are written.
struct Page<'p, 'e>(&'p mut DescriptorEncoder<'e>);

impl Page<'_, '_> {
    fn family(
        &mut self,
        name: &str,
        unit: Option<&Unit>,
        help: &str,
        kind: MetricType,
        samples: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        samples(&mut self.0.encode_descriptor(name, help, unit, kind)?)
    }

    /// A gauge without labels.
    fn value(&mut self, name: &str, unit: Option<&Unit>, help: &str, value: f64) -> fmt::Result {
        self.family(name, unit, help, MetricType::Gauge, |family| family.encode_gauge(&value))
    }
}

type Labels<'l, const N: usize> = [(&'l str, &'l str); N];

fn total<const N: usize>(family: &mut MetricEncoder<'_>, labels: &Labels<'_, N>, value: f64) -> fmt::Result {
    family.encode_family(labels)?.encode_counter::<NoLabelSet, _, f64>(&value, None)
}

fn gauge<const N: usize>(family: &mut MetricEncoder<'_>, labels: &Labels<'_, N>, value: f64) -> fmt::Result {
    family.encode_family(labels)?.encode_gauge(&value)
}

fn histogram<const N: usize>(
    family: &mut MetricEncoder<'_>,
    labels: &Labels<'_, N>,
    buckets: &Buckets,
) -> fmt::Result {
    let (sum, count) = (buckets.sum(), buckets.count());
    family.encode_family(labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets.buckets(), None)
}

fn truth(is: bool) -> f64 {
    f64::from(u8::from(is))
}

fn since_1970(at: DateTime<Utc>) -> f64 {
    Duration::from_millis(at.timestamp_millis().max(0).unsigned_abs()).as_secs_f64()
}
