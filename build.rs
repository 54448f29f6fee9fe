//! Compiles `proto/` to Rust at build time, without `protoc`.

use std::error::Error;

const INCLUDES: [&str; 1] = ["proto"];
const ROOTS: [&str; 5] = [
    "relay/v1/log.proto",
    "relay/v1/answer.proto",
    "relay/v1/snapshot.proto",
    "relay/v1/raft.proto",
    "relay/v1/peer.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(ROOTS, INCLUDES)?;
    // An event is ten times the size of any other command: boxed, the others stay small. Entries
    // are passed on as received: their bytes are shared, not copied.
    prost_build::Config::new()
        .boxed(".relay.v1.Command.kind.accept")
        .bytes([
            ".relay.raft.v1.LogRecord.entry",
            ".relay.raft.v1.AppendRequest.entries",
            ".relay.peer.v1.Forward.entry",
        ])
        .compile_fds(files)?;
    Ok(())
}
