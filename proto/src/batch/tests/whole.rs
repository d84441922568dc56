//! Requests as wholes, against the decoded message: joined and taken apart again, split,
//! parted by their resources, and what is said of one that was or was not changed.

use bytes::Bytes;
use prost::Message;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{
    everything::written_around,
    generate::{Request, Rng},
    model,
};
use crate::{
    Batch, Signal,
    batch::{Error, Level, Packed},
    otlp::{
        ExportProfilesServiceRequest,
        metrics::v1::{Metric, metric::Data},
    },
};

/// What can be done with a request as a whole; `decoded` is what it decodes to.
pub fn check(batch: &Batch, decoded: &Request, r: &mut Rng) {
    let out = batch.to_protobuf();
    let packed = Packed {
        coding: "gzip",
        bytes: Bytes::from_static(b"as it came"),
    };
    let packed = batch.clone().packed_as(packed);
    assert_eq!(packed.packed().is_none(), batch.is_edited());
    assert_eq!(
        batch.parts().map(<[Bytes]>::concat),
        (!batch.is_edited()).then(|| out.to_vec())
    );
    assert!(batch.is_edited() || !batch.has_long_runs());
    let said = format!("{batch:?}");
    let items = format!("items: {}, bytes: {}", batch.items, batch.payload_len());
    assert!(said.contains(&items), "{said}");
    match r.below(3) {
        0 => joined(batch, decoded, r),
        1 => split(batch, decoded, 1 + r.below(4)),
        _ => parted(batch, decoded, r),
    }
}

fn joined(batch: &Batch, decoded: &Request, r: &mut Rng) {
    let signal = batch.signal();
    let other = Request::random(signal, r);
    let second = Batch::from_protobuf(signal, other.encode().into()).unwrap();
    let joined = Batch::join(vec![batch.clone(), second.clone()]);
    if let Request::Profiles(one) = decoded {
        if let Err(error) = joined {
            assert_eq!(error, Error::Dictionaries);
        }
        return parts_joined(batch, one, r);
    }
    let mut joined = joined.unwrap().unwrap();
    assert_eq!(
        joined.item_count(),
        batch.item_count() + second.item_count()
    );
    let mut both = decoded.clone();
    match (&mut both, other) {
        (Request::Traces(one), Request::Traces(two)) => {
            one.resource_spans.extend(two.resource_spans);
        }
        (Request::Metrics(one), Request::Metrics(two)) => {
            one.resource_metrics.extend(two.resource_metrics);
        }
        (Request::Logs(one), Request::Logs(two)) => one.resource_logs.extend(two.resource_logs),
        _ => unreachable!("two of one signal"),
    }
    let whole = joined.to_protobuf();
    assert_eq!(Request::decode(signal, &whole).unwrap(), both);
    assert_eq!(written_around(&joined), whole);
    let again: Vec<Bytes> = joined
        .clone()
        .unjoin()
        .unwrap()
        .iter()
        .map(Batch::to_protobuf)
        .collect();
    assert_eq!(again, [batch.to_protobuf(), second.to_protobuf()]);
    // Looked into, it is one.
    joined.open().unwrap();
    assert_eq!(joined.to_protobuf(), whole);
    assert_eq!(joined.clone().unjoin().unwrap().len(), 1);
    let alone = Batch::join(vec![batch.clone()]).unwrap().unwrap();
    assert_eq!(alone.to_protobuf(), batch.to_protobuf());
    assert!(Batch::join(Vec::new()).unwrap().is_none());

    let wrong = Signal::ALL[(signal.index() + 1) % Signal::ALL.len()];
    let empty = Batch::from_protobuf(wrong, Bytes::new()).unwrap();
    let error = Batch::join(vec![batch.clone(), empty]).unwrap_err();
    assert_eq!(error, Error::DifferentSignals(signal, wrong));
    let text = error.to_string();
    assert!(text.contains(signal.name()) && text.contains(wrong.name()));
}

/// Parts of a request of profiles are one again when they are joined, with one dictionary.
fn parts_joined(batch: &Batch, decoded: &ExportProfilesServiceRequest, r: &mut Rng) {
    let count = 1 + r.below(3);
    let groups: Vec<u32> = decoded
        .resource_profiles
        .iter()
        .map(|_| r.below(count) as u32)
        .collect();
    let named: Vec<Option<u32>> = groups.iter().copied().map(Some).collect();
    let parts = batch.partition_resources(&named, count as u32).unwrap();
    let joined = Batch::join(parts).unwrap().unwrap();
    assert_eq!(joined.item_count(), batch.item_count());
    assert_eq!(joined.clone().unjoin().unwrap().len(), 1);
    let mut numbered: Vec<_> = groups.iter().zip(&decoded.resource_profiles).collect();
    numbered.sort_by_key(|(group, _)| **group);
    let found = ExportProfilesServiceRequest::decode(joined.to_protobuf()).unwrap();
    let resources: Vec<_> = numbered.into_iter().map(|(_, of)| of.clone()).collect();
    assert_eq!(found.resource_profiles, resources);
    assert_eq!(found.dictionary, decoded.dictionary);
}

fn split(batch: &Batch, decoded: &Request, most: usize) {
    let mut found = Vec::new();
    let mut items = 0;
    for part in batch.clone().split(most) {
        items += part.item_count();
        let mut request = Request::decode(batch.signal(), &part.to_protobuf()).unwrap();
        let with_items = weights(&request).into_iter().filter(|of| *of > 0).count();
        assert!(part.item_count() <= most || with_items == 1);
        if let (Request::Profiles(part), Request::Profiles(whole)) = (&request, decoded) {
            assert_eq!(part.dictionary, whole.dictionary);
        }
        found.extend(leaves(&mut request));
    }
    assert_eq!(items, batch.item_count());
    assert!(found == leaves(&mut decoded.clone()), "split by {most}");
}

fn parted(batch: &Batch, decoded: &Request, r: &mut Rng) {
    let resources = model::lists(&mut decoded.clone(), Level::Resource)[0]
        .as_ref()
        .map_or(0, |list| list.count());
    let groups: Vec<Option<u32>> = (0..resources)
        .map(|_| (!r.one_in(4)).then(|| r.below(2) as u32))
        .collect();
    let parts = batch.partition_resources(&groups, 2).unwrap();
    assert_eq!(parts.len(), 2);
    for (group, part) in (0..).zip(&parts) {
        let mut wanted = decoded.clone();
        for at in (0..resources).rev().filter(|at| groups[*at] != Some(group)) {
            let list = &mut model::lists(&mut wanted, Level::Resource)[0];
            list.as_mut().unwrap().remove(at);
        }
        let found = Request::decode(batch.signal(), &part.to_protobuf()).unwrap();
        assert_eq!(found, wanted);
        assert_eq!(part.item_count(), weights(&wanted).iter().sum::<usize>());
    }
}

/// What each span, log record, metric or profile counts for.
fn weights(request: &Request) -> Vec<usize> {
    fn each<R, S, I>(
        resources: &[R],
        scopes: impl Fn(&R) -> &[S],
        items: impl Fn(&S) -> &[I],
        weight: impl Fn(&I) -> usize,
    ) -> Vec<usize> {
        let scopes = resources.iter().flat_map(scopes);
        scopes.flat_map(items).map(weight).collect()
    }
    match request {
        Request::Traces(of) => each(&of.resource_spans, |r| &r.scope_spans, |s| &s.spans, |_| 1),
        Request::Logs(of) => each(
            &of.resource_logs,
            |r| &r.scope_logs,
            |s| &s.log_records,
            |_| 1,
        ),
        Request::Metrics(of) => each(
            &of.resource_metrics,
            |r| &r.scope_metrics,
            |s| &s.metrics,
            |metric| points(&mut metric.clone()).len(),
        ),
        Request::Profiles(of) => each(
            &of.resource_profiles,
            |r| &r.scope_profiles,
            |s| &s.profiles,
            |profile| profile.samples.len(),
        ),
    }
}

/// Everything that is not cut, in order, each with what is around it: that as hashes.
fn leaves(request: &mut Request) -> Vec<(u64, u64, Vec<u8>)> {
    let mut out = Vec::new();
    macro_rules! walk {
        ($resources:expr, $scopes:ident, $items:ident, $leaves:expr) => {
            for mut of in std::mem::take($resources) {
                let scopes = std::mem::take(&mut of.$scopes);
                let around = hash(&of);
                if scopes.is_empty() {
                    out.push((around, 0, Vec::new()));
                }
                for mut scope in scopes {
                    let items = std::mem::take(&mut scope.$items);
                    let inner = hash(&scope);
                    if items.is_empty() {
                        out.push((around, inner, Vec::new()));
                    }
                    let leaves = items.into_iter().flat_map($leaves);
                    out.extend(leaves.map(|leaf| (around, inner, leaf)));
                }
            }
        };
    }
    match request {
        Request::Traces(of) => walk!(&mut of.resource_spans, scope_spans, spans, |item| [
            item.encode_to_vec()
        ]),
        Request::Logs(of) => walk!(&mut of.resource_logs, scope_logs, log_records, |item| [
            item.encode_to_vec()
        ]),
        Request::Metrics(of) => walk!(
            &mut of.resource_metrics,
            scope_metrics,
            metrics,
            |mut metric| {
                let points = points(&mut metric);
                let around = metric.encode_to_vec();
                match points.is_empty() {
                    true => vec![around],
                    false => points
                        .into_iter()
                        .map(|point| [&around[..], &point].concat())
                        .collect(),
                }
            }
        ),
        Request::Profiles(of) => {
            walk!(
                &mut of.resource_profiles,
                scope_profiles,
                profiles,
                |item| [item.encode_to_vec()]
            )
        }
    }
    out
}

fn hash(message: &impl Message) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.encode_to_vec().hash(&mut hasher);
    hasher.finish()
}

/// Takes the points from a metric, encoded.
fn points(metric: &mut Metric) -> Vec<Vec<u8>> {
    fn all<T: Message>(points: &mut Vec<T>) -> Vec<Vec<u8>> {
        points
            .drain(..)
            .map(|point| point.encode_to_vec())
            .collect()
    }
    match &mut metric.data {
        None => Vec::new(),
        Some(Data::Gauge(of)) => all(&mut of.data_points),
        Some(Data::Sum(of)) => all(&mut of.data_points),
        Some(Data::Histogram(of)) => all(&mut of.data_points),
        Some(Data::ExponentialHistogram(of)) => all(&mut of.data_points),
        Some(Data::Summary(of)) => all(&mut of.data_points),
    }
}
