//! liquid-local
