//! Certificates that follow their files. As in the Collector the look at the
//! files happens when a handshake begins and the interval has passed, so an idle
//! listener does nothing. What does not load leaves the certificate in use as it
//! is (the Collector fails the handshake), is logged, and is tried again after
//! the next interval.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{Tls, TlsError, load, verify::Clients};

/// What can be read again.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) clients: Option<Arc<Clients>>,
}

impl Files {
    pub(super) fn reload(&self) -> Result<(), TlsError> {
        if let Some(certificate) = &self.certificate {
            certificate.reload()?;
        }
        if let Some(clients) = &self.clients {
            clients.reload()?;
        }
        Ok(())
    }
}

/// When the next look is due.
#[derive(Debug)]
pub(super) struct Due {
    interval: Duration,
    next: Mutex<Instant>,
}

impl Due {
    pub(super) fn every(interval: Duration) -> Due {
        Due {
            interval,
            next: Mutex::new(Instant::now() + interval),
        }
    }

    /// True once an interval; never for the interval zero. Only one caller is told.
    pub(super) fn now(&self) -> bool {
        if self.interval.is_zero() {
            return false;
        }
        // Another core looking at this moment looks for us too.
        let Ok(mut next) = self.next.try_lock() else {
            return false;
        };
        let now = Instant::now();
        let due = now >= *next;
        if due {
            *next = now + self.interval;
        }
        due
    }
}

/// This side's certificate chain and key.
#[derive(Debug)]
pub(super) struct Certificate {
    settings: Tls,
    current: RwLock<Arc<CertifiedKey>>,
    due: Due,
}

impl Certificate {
    /// `None` where the configuration has none.
    pub(super) fn load(settings: &Tls) -> Result<Option<Arc<Certificate>>, TlsError> {
        let loaded = load::certified_key(settings)
            .map_err(|e| e.within("failed to load TLS cert and key"))?;
        Ok(loaded.map(|current| {
            Arc::new(Certificate {
                settings: settings.clone(),
                current: RwLock::new(current),
                due: Due::every(settings.reload_interval),
            })
        }))
    }

    pub(super) fn reload(&self) -> Result<(), TlsError> {
        let loaded = load::certified_key(&self.settings)
            .map_err(|e| e.within("failed to load TLS cert and key"))?;
        if let Some(loaded) = loaded {
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        }
        Ok(())
    }

    fn current(&self) -> Arc<CertifiedKey> {
        if self.due.now()
            && let Err(error) = self.reload()
        {
            tracing::warn!(%error, "TLS certificate not reloaded; the one in use stays");
        }
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl ResolvesClientCert for Certificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
