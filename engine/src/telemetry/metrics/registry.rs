//! The registry: which series exist, and the cells of each. It is locked when a
//! component is built, when series are retired and when somebody scrapes, never
//! when a value is written.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
};

use super::{
    cells::{Counter, CounterCell, Gauge, GaugeCell, Histogram, HistogramCell},
    descriptors::{Across, Descriptor, Kind, Level},
    views::Views,
};

/// Name and value of a label; names sorted within a series.
pub type Labels = Vec<(&'static str, String)>;

/// Series a metric may have before further ones are added up in a single series
/// with the label `otel_metric_overflow="true"` (the OpenTelemetry SDK's limit).
const MAX_SERIES: usize = 2000;

/// All metrics of the process. Cheap to share; see [`Registry::counter`].
#[derive(Debug)]
pub struct Registry {
    families: Mutex<BTreeMap<&'static str, Family>>,
    level: AtomicU8,
    views: Views,
}

#[derive(Debug)]
struct Family {
    descriptor: &'static Descriptor,
    series: BTreeMap<Labels, Series>,
}

type ObserverFn = dyn Fn() -> Option<f64> + Send + Sync;

#[derive(Default)]
struct Series {
    counters: Vec<(usize, Arc<CounterCell>)>,
    gauges: Vec<(usize, Arc<GaugeCell>)>,
    histograms: Vec<(usize, Arc<HistogramCell>)>,
    observers: Vec<Weak<ObserverFn>>,
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Series")
            .field("counters", &self.counters)
            .field("gauges", &self.gauges)
            .field("histograms", &self.histograms)
            .finish_non_exhaustive()
    }
}

/// Keeps an observed series alive; dropping it removes the series.
#[must_use = "dropping the observer removes its series"]
pub struct Observer(#[allow(dead_code, reason = "held for its reference count")] Arc<ObserverFn>);

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

/// One metric as a scrape sees it.
#[derive(Debug)]
pub struct FamilySample {
    /// What the metric is.
    pub descriptor: &'static Descriptor,
    /// Its name, as labels are written: the descriptor's, unless a view says otherwise.
    pub name: Cow<'static, str>,
    /// Its help text, likewise.
    pub help: Cow<'static, str>,
    /// Its series, each with at least one write.
    pub series: Vec<SeriesSample>,
}

/// One series as a scrape sees it, all cores together.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesSample {
    /// Labels, sorted by name.
    pub labels: Labels,
    /// Its value.
    pub value: SampleValue,
}

/// The value of a series.
#[derive(Clone, Debug, PartialEq)]
pub enum SampleValue {
    /// Of a counter or a gauge.
    Number(f64),
    /// Of a histogram.
    Histogram(HistogramSample),
}

/// A histogram's state.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramSample {
    /// Bounds of the buckets, ascending, inclusive.
    pub bounds: Arc<[f64]>,
    /// Number of values in each bucket, not cumulative; one more than there are bounds.
    pub counts: Vec<u64>,
    /// Sum of all values.
    pub sum: f64,
}

impl Default for Registry {
    fn default() -> Self {
        Registry::new(Level::Normal)
    }
}

impl Registry {
    /// An empty registry. `level` decides which metrics a scrape shows.
    pub fn new(level: Level) -> Self {
        Registry::with_views(level, Views::default())
    }

    /// The same, read through `views`.
    pub fn with_views(level: Level, views: Views) -> Self {
        Registry {
            families: Mutex::new(BTreeMap::new()),
            level: AtomicU8::new(level as u8),
            views,
        }
    }

    /// The configured level (`service::telemetry::metrics::level`).
    pub fn level(&self) -> Level {
        Level::from_repr(self.level.load(Relaxed))
    }

    /// Changes the level. Histograms that exist keep to the level they were made at.
    pub fn set_level(&self, level: Level) {
        self.level.store(level as u8, Relaxed);
    }

    fn families(&self) -> MutexGuard<'_, BTreeMap<&'static str, Family>> {
        // A panic while the lock is held leaves at worst one series missing.
        self.families.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A counter of `descriptor` with `labels`, to be written on core number `core`
    /// only. The same core asking again gets the same cell, so counts go on over a
    /// change of configuration.
    pub fn counter(
        &self,
        core: usize,
        descriptor: &'static Descriptor,
        labels: &[(&'static str, &str)],
    ) -> Counter {
        self.with_series(descriptor, labels, |series| {
            Counter::new(cell_of(&mut series.counters, core, Arc::default))
        })
    }

    /// A gauge, as [`Registry::counter`].
    pub fn gauge(
        &self,
        core: usize,
        descriptor: &'static Descriptor,
        labels: &[(&'static str, &str)],
    ) -> Gauge {
        self.with_series(descriptor, labels, |series| {
            Gauge::new(cell_of(&mut series.gauges, core, Arc::default))
        })
    }

    /// A histogram over the bounds of its descriptor, as [`Registry::counter`]; it
    /// records nothing when the configured level hides it.
    pub fn histogram(
        &self,
        core: usize,
        descriptor: &'static Descriptor,
        labels: &[(&'static str, &str)],
    ) -> Histogram {
        let Kind::Histogram(bounds) = descriptor.kind else {
            return Histogram::new(None);
        };
        if descriptor.level > self.level() {
            return Histogram::new(None);
        }
        self.with_series(descriptor, labels, |series| {
            let of_view = self.views.bounds(descriptor);
            let new = || Arc::new(HistogramCell::new(of_view.unwrap_or_else(|| bounds.into())));
            Histogram::new(Some(cell_of(&mut series.histograms, core, new)))
        })
    }

    /// A series whose value is asked for at every scrape; `None` hides it. `read` is
    /// called on the scraping thread, with no lock held. Several observers of one
    /// series are added up.
    pub fn observe(
        &self,
        descriptor: &'static Descriptor,
        labels: &[(&'static str, &str)],
        read: impl Fn() -> Option<f64> + Send + Sync + 'static,
    ) -> Observer {
        let read: Arc<ObserverFn> = Arc::new(read);
        self.with_series(descriptor, labels, |series| {
            series.observers.push(Arc::downgrade(&read));
        });
        Observer(read)
    }

    fn with_series<T>(
        &self,
        descriptor: &'static Descriptor,
        labels: &[(&'static str, &str)],
        make: impl FnOnce(&mut Series) -> T,
    ) -> T {
        let mut labels: Labels = labels.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        labels.sort();
        let mut families = self.families();
        let family = families.entry(descriptor.name).or_insert_with(|| Family {
            descriptor,
            series: BTreeMap::new(),
        });
        if family.series.len() >= MAX_SERIES && !family.series.contains_key(&labels) {
            labels = vec![("otel_metric_overflow", "true".to_owned())];
        }
        make(family.series.entry(labels).or_default())
    }

    /// Forgets the series that no component holds any more. Called after a change of
    /// configuration, when the components of the old one are gone.
    pub fn retire(&self) {
        self.families().retain(|_, family| {
            family.series.retain(|_, series| series.is_live());
            !family.series.is_empty()
        });
    }

    /// Every series that was written, by metric name; those above the level
    /// included, since the admin page has use for them.
    pub fn sample(&self) -> Vec<FamilySample> {
        type Pending = (Labels, Option<SampleValue>, Vec<Arc<ObserverFn>>);
        let mut pending: Vec<(&'static Descriptor, Vec<Pending>)> = Vec::new();
        for family in self.families().values() {
            let series = family.series.iter().map(|(labels, series)| {
                let observers = series.observers.iter().filter_map(Weak::upgrade).collect();
                (labels.clone(), series.value(family.descriptor), observers)
            });
            pending.push((family.descriptor, series.collect()));
        }
        // Observers are called without the lock, so that they may use the registry.
        pending
            .into_iter()
            .filter_map(|(descriptor, series)| {
                let series: Vec<SeriesSample> = series
                    .into_iter()
                    .filter_map(|(labels, value, observers)| {
                        let observed = observers
                            .iter()
                            .filter_map(|read| read())
                            .reduce(|a, b| a + b);
                        let value = value.or(observed.map(SampleValue::Number))?;
                        Some(SeriesSample { labels, value })
                    })
                    .collect();
                (!series.is_empty()).then_some(FamilySample {
                    descriptor,
                    name: Cow::Borrowed(descriptor.name),
                    help: Cow::Borrowed(descriptor.help),
                    series,
                })
            })
            .collect()
    }

    /// What readers are shown: the series of the configured level, through the views.
    pub fn streams(&self) -> Vec<FamilySample> {
        let level = self.level();
        let mut families = self.sample();
        families.retain(|family| family.descriptor.level <= level && level > Level::None);
        self.views.apply(families)
    }
}

fn cell_of<T>(
    cells: &mut Vec<(usize, Arc<T>)>,
    core: usize,
    new: impl FnOnce() -> Arc<T>,
) -> Arc<T> {
    if let Some((_, cell)) = cells.iter().find(|(of, _)| *of == core) {
        return cell.clone();
    }
    let cell = new();
    cells.push((core, cell.clone()));
    cell
}

impl Series {
    fn is_live(&self) -> bool {
        fn held<T>(cells: &[(usize, Arc<T>)]) -> bool {
            cells.iter().any(|(_, cell)| Arc::strong_count(cell) > 1)
        }
        held(&self.counters)
            || held(&self.gauges)
            || held(&self.histograms)
            || self.observers.iter().any(|read| read.strong_count() > 0)
    }

    fn value(&self, descriptor: &Descriptor) -> Option<SampleValue> {
        let bounds = self
            .histograms
            .first()
            .map(|(_, cell)| cell.bounds().clone());
        let histogram = self.histograms.iter().map(|(_, cell)| cell.get()).reduce(
            |(mut counts, sum), (more, more_sum)| {
                for (count, more) in counts.iter_mut().zip(more) {
                    *count += more;
                }
                (counts, sum + more_sum)
            },
        );
        if let (Some((counts, sum)), Some(bounds)) = (histogram, bounds) {
            let written = counts.iter().any(|count| *count > 0);
            return written.then_some(SampleValue::Histogram(HistogramSample {
                bounds,
                counts,
                sum,
            }));
        }
        let counters = self.counters.iter().filter_map(|(_, cell)| cell.get());
        if let Some(sum) = counters.reduce(u64::wrapping_add) {
            return Some(SampleValue::Number(sum as f64));
        }
        let gauges = self.gauges.iter().filter_map(|(_, cell)| cell.get());
        let gauge = match descriptor.across {
            Across::Sum => gauges.reduce(i64::wrapping_add),
            Across::Max => gauges.max(),
        };
        gauge.map(|value| SampleValue::Number(value as f64))
    }
}
