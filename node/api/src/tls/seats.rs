//! How many connections each address has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All addresses that have a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Seats(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's seat; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    address: IpAddr,
}

impl Seats {
    /// A seat for an address; none where it has as many as it may.
    pub(super) fn take(&self, address: IpAddr, most: usize) -> Option<Seat> {
        let address = network(address);
        let mut seats = self.lock();
        let taken = seats.entry(address).or_default();
        if *taken >= most {
            return None;
        }
        *taken += 1;
        Some(Seat { seats: self.clone(), address })
    }

    /// Counts change in one step, so they are right even where a holder of the lock stopped.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.seats.lock();
        if let Some(taken) = seats.get_mut(&self.address) {
            *taken -= 1;
            if *taken == 0 {
                seats.remove(&self.address);
            }
        }
    }
}

/// Whoever has an IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_counted_by_network_and_freed() {
        let seats = Seats::default();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let (first, second) = (seats.take(ip("2001:db8::1"), 2), seats.take(ip("2001:db8::2"), 2));
        assert!(first.is_some() && second.is_some());
        assert!(seats.take(ip("2001:db8::3"), 2).is_none(), "one network");
        let other = seats.take(ip("2001:db8:0:1::1"), 2);
        let (mapped, plain) = (seats.take(ip("::ffff:10.0.0.1"), 1), seats.take(ip("10.0.0.1"), 1));
        assert!(
            other.is_some() && mapped.is_some() && plain.is_none(),
            "one address, whichever way it is written"
        );
        drop(first);
        assert!(seats.take(ip("2001:db8::3"), 2).is_some());
        drop((second, other, mapped));
        assert!(seats.lock().is_empty(), "who has no connection takes no memory");
    }
}
