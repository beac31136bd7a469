//! A way to a site, whoever dialled: a channel of ours, or the connections that the site keeps open to us.

use std::error::Error as StdError;
use std::sync::Arc;

use tonic::Status;
use tonic::transport::Channel;

use super::outbound::{Callers, Spent};

/// A way to a site.
#[derive(Debug, Clone)]
pub enum Link {
    /// We dial, when there is something to ask.
    Dialled(Channel),
    /// The site dials, and is asked on what it has opened.
    Called(Arc<Callers>),
}

impl From<Channel> for Link {
    fn from(channel: Channel) -> Self {
        Self::Dialled(channel)
    }
}

impl From<Arc<Callers>> for Link {
    fn from(callers: Arc<Callers>) -> Self {
        Self::Called(callers)
    }
}

impl Link {
    /// A channel to ask on; none where the site dials and has not connected.
    pub(crate) async fn channel(&self) -> Option<Channel> {
        match self {
            Self::Dialled(channel) => Some(channel.clone()),
            Self::Called(callers) => callers.newest().await,
        }
    }

    /// Whether what failed so was never looked at, as its connection was already ending, so that it can go over another
    /// one: a node that restarts loses no question.
    pub(crate) fn is_unseen(&self, failed: &Status) -> bool {
        let mut cause: Option<&dyn StdError> = Some(failed);
        while let Some(error) = cause {
            let unsent = error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled);
            if unsent || error.is::<Spent>() || error.downcast_ref().is_some_and(is_declined) {
                return matches!(self, Self::Called(_));
            }
            cause = error.source();
        }
        false
    }
}

/// A server that ends names the last request that it has taken up, and this one came later (RFC 9113, 6.8 and 8.7).
fn is_declined(error: &h2::Error) -> bool {
    let declined = if error.is_go_away() { h2::Reason::NO_ERROR } else { h2::Reason::REFUSED_STREAM };
    error.is_remote() && error.reason() == Some(declined)
}
