//! What each step of a message costs, as a table: `cargo bench`.
//!
//! Knows how to measure time, and not what is measured: that is in `operations.rs`.

mod operations;

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn costs(c: &mut Criterion) {
    for operation in operations::all() {
        let mut group = c.benchmark_group(operation.group);
        if operation.deliveries > 0 {
            group.throughput(Throughput::Elements(operation.deliveries.into()));
        }
        let mut action = None;
        group.bench_function(operation.name.as_str(), |bencher| {
            bencher.iter(action.get_or_insert_with(|| operation.prepare()));
        });
        group.finish();
    }
}

criterion_group! {
    name = table;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = costs
}
criterion_main!(table);
