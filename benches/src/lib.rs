//! liquid-benches
