//! The binary.
fn main() {
    let limits = parlor::limits::Limits::default();
    let listen = ["127.0.0.1:7575".parse().unwrap()];
    let dir = std::path::PathBuf::from("/tmp/parlor-spine");
    std::fs::create_dir_all(&dir).unwrap();
    let log = parlor::logging::Log::open(&dir.join("parlor.log"), log::LevelFilter::Info).unwrap();
    let reactor = parlor::reactor::Reactor::bind(&listen, limits, &dir, false).unwrap();
    println!("{:?}", reactor.addresses());
    println!("{}", reactor.run().unwrap());
    let _ = log.close(std::time::Duration::from_secs(1));
}
