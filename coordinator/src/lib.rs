//! liquid-coordinator
