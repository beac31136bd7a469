//! liquid-engine
