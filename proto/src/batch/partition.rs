//! A request parted by its resources, without copying: the parts are slices of its bytes.

use std::ops::Range;

use smallvec::SmallVec;

use super::{Batch, Error, walk};
use crate::wire::Fields;

impl Batch {
    /// Parts the request by its resources: `groups` has, for every resource in order, the
    /// number of the request that it goes to, below `count`, or `None` to leave it out.
    /// Resources beyond `groups` are left out. What stands beside resources (the dictionary of
    /// profiles, unknown fields) goes to every part. A part without resources has no items.
    ///
    /// # Errors
    /// [`Error::Decode`] when the request is not valid.
    pub fn partition_resources(
        &self,
        groups: &[Option<u32>],
        count: u32,
    ) -> Result<Vec<Batch>, Error> {
        let payload = self.to_protobuf();
        let mut parts: Vec<Batch> = (0..count)
            .map(|_| Batch {
                signal: self.signal,
                parts: SmallVec::new(),
                items: 0,
                data: None,
                packed: None,
            })
            .collect();
        let mut groups = groups.iter();
        // What goes the same way and lies together is one run.
        let mut runs: Vec<Range<usize>> = vec![0..0; parts.len()];
        let push = |part: &mut Batch, run: &mut Range<usize>, head: usize, end: usize| {
            if run.end == head && run.start < run.end {
                run.end = end;
                part.parts.pop();
            } else {
                *run = head..end;
            }
            part.parts.push(payload.slice(run.clone()));
        };
        for field in Fields::all(&payload) {
            let field = field?;
            if field.number != 1 {
                for (part, run) in parts.iter_mut().zip(&mut runs) {
                    push(part, run, field.head, field.end);
                }
                continue;
            }
            let group = groups.next().copied().flatten();
            let group = group.map(|group| group as usize);
            if let Some(group) = group
                && let (Some(part), Some(run)) = (parts.get_mut(group), runs.get_mut(group))
            {
                let bytes = payload.get(field.head..field.end).unwrap_or_default();
                part.items += walk::count(self.signal, bytes)?;
                push(part, run, field.head, field.end);
            }
        }
        Ok(parts)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{
        Signal,
        otlp::{
            ExportLogsServiceRequest,
            logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
        },
    };
    use prost::Message;

    fn resource(records: usize, url: &str) -> ResourceLogs {
        ResourceLogs {
            schema_url: url.into(),
            scope_logs: vec![ScopeLogs {
                log_records: vec![LogRecord::default(); records],
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }
    }

    #[test]
    fn resources_go_to_their_groups_in_order_and_the_rest_to_all() {
        let request = ExportLogsServiceRequest {
            resource_logs: vec![
                resource(1, "a"),
                resource(2, "b"),
                resource(3, "c"),
                resource(4, "d"),
            ],
        };
        let mut bytes = request.encode_to_vec();
        // An unknown field beside the resources.
        bytes.extend_from_slice(&[0x78, 7]);
        let batch = Batch::from_protobuf(Signal::Logs, bytes.into()).unwrap();
        let parts = batch
            .partition_resources(&[Some(1), None, Some(0), Some(1)], 3)
            .unwrap();
        let urls = |batch: &Batch| -> Vec<String> {
            ExportLogsServiceRequest::decode(&batch.to_protobuf()[..])
                .unwrap()
                .resource_logs
                .into_iter()
                .map(|resource| resource.schema_url)
                .collect()
        };
        let shape: Vec<_> = parts.iter().map(|p| (urls(p), p.item_count())).collect();
        assert_eq!(
            shape,
            [
                (vec!["c".to_owned()], 3),
                (vec!["a".to_owned(), "d".to_owned()], 5),
                (vec![], 0)
            ]
        );
        assert!(parts.iter().all(|p| p.to_protobuf().ends_with(&[0x78, 7])));
        // The last resource and what follows it are one run.
        let runs: Vec<usize> = parts.iter().map(|p| p.parts().unwrap().len()).collect();
        assert_eq!(runs, [2, 2, 1]);
    }
}
