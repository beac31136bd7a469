//! liquid-node
