//! liquid-footprint
