//! Nothing of a request is read before its token is good: what a stranger sends is not collected in our memory first.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tower::{Layer, Service};

use super::{Backend, SessionOptions, session};
use crate::channel::Token;
use crate::error::Error;
use crate::tls::{PeerCertificate, PeerInfo};

/// Puts a [`Door`] before a service.
pub(super) struct Doors<B>(pub(super) Arc<B>);

/// Lets callers through who prove who they are. What they may do is settled behind it, where they prove it again.
pub(super) struct Door<B, S> {
    backend: Arc<B>,
    inner: S,
}

impl<B> Clone for Doors<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B, S: Clone> Clone for Door<B, S> {
    fn clone(&self) -> Self {
        Self { backend: Arc::clone(&self.backend), inner: self.inner.clone() }
    }
}

impl<B, S> Layer<S> for Doors<B> {
    type Service = Door<B, S>;

    fn layer(&self, inner: S) -> Door<B, S> {
        Door { backend: Arc::clone(&self.0), inner }
    }
}

impl<B, S> Service<Request<Body>> for Door<B, S>
where
    B: Backend,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The one that is ready is used up; its copy stays.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let (backend, shown) = (Arc::clone(&self.backend), shown(&request));
        Box::pin(async move {
            let known = match shown {
                Ok((token, peer)) => backend.authenticate(token, peer, SessionOptions::default()).await,
                Err(error) => Err(error),
            };
            match known {
                Ok(_) => inner.call(request).await,
                Err(error) => Ok(Status::from(error).into_http()),
            }
        })
    }
}

/// What a request shows of its caller before it is read.
fn shown(request: &Request<Body>) -> Result<(Option<Token>, Option<PeerCertificate>), Error> {
    let metadata = MetadataMap::from_headers(request.headers().clone());
    let token = match request.uri().path().ends_with("/Handshake") {
        true => Some(session::password(&metadata)?),
        false => session::bearer(&metadata)?,
    };
    let peer = request.extensions().get::<PeerInfo>().and_then(|peer| peer.certificate.clone());
    Ok((token, peer))
}
