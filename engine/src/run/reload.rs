//! One configuration after the other (SIGHUP), in the process that runs. The new
//! one is read, checked and made ready beside the old one; what is wrong with it is
//! an error in the log, and nothing changes. Then the old gateway finishes what it
//! has accepted and the new one starts. Should that fail, the old one starts again.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Files, Gateway};
use crate::{
    cli::RunOptions,
    config::Settings,
    graph::Shared,
    telemetry::{logs::LogHandle, setup},
};

/// A configuration that can run, and what was made ready for it.
pub(super) struct Next {
    pub(super) settings: Settings,
    /// Attributes of the process's resource.
    pub(super) resource: Vec<(String, String)>,
    pub(super) shared: Shared,
}

impl Next {
    /// Loads and binds what the settings name beside those addresses that `running` has.
    fn prepare(
        settings: Settings,
        resource: Vec<(String, String)>,
        running: Option<&Shared>,
    ) -> Result<Next, String> {
        let shared = Shared::prepare(&settings, running)?;
        Ok(Next {
            settings,
            resource,
            shared,
        })
    }

    /// The configuration as its sources have it now.
    pub(super) async fn load(
        options: &RunOptions,
        running: &Shared,
        log: &LogHandle,
    ) -> Result<Next, String> {
        let load = options.load.clone();
        // Sources may be far away; the pages must not wait for them.
        let settings = tokio::task::spawn_blocking(move || {
            let settings = Settings::load(&load).map_err(|e| e.text(true))?;
            settings.startable().map_err(|e| e.text(true))?;
            Ok::<_, String>(settings)
        })
        .await
        .map_err(|error| error.to_string())??;
        let telemetry = &settings.service.telemetry;
        let resource = setup::resource(telemetry);
        let logs = setup::logs(telemetry, &resource);
        let next = Next::prepare(settings, resource, Some(running))?;
        log.reload(&logs).map_err(|error| error.to_string())?;
        Ok(next)
    }
}

/// Runs the gateway, with one configuration after the other, until it is told to stop.
pub(super) fn serve(
    settings: Settings,
    resource: Vec<(String, String)>,
    options: &RunOptions,
    log: &LogHandle,
) -> Result<(), String> {
    let control = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start the control thread: {error}"))?;
    control.block_on(async {
        // Once for all configurations: a signal that comes between two is not lost.
        let mut signals = Signals::listen()?;
        let mut settings = settings;
        let mut next = Next::prepare(settings.clone(), resource, None)?;
        let mut files = Files::default();
        let mut before: Option<Settings> = None;
        loop {
            let ended = match Gateway::start(next, options, &files, log) {
                Ok(gateway) => {
                    let before = std::mem::take(&mut files);
                    let (ended, open) = gateway.control(before, options, log, &mut signals).await;
                    files = open;
                    ended
                }
                Err(text) => Err(text),
            };
            next = match (ended, before.take()) {
                (Ok(None), _) => return Ok(()),
                (Ok(Some(next)), _) => {
                    before = Some(std::mem::replace(&mut settings, next.settings.clone()));
                    *next
                }
                (Err(text), None) => return Err(text),
                (Err(text), Some(old)) => {
                    let telemetry = &old.service.telemetry;
                    let resource = setup::resource(telemetry);
                    log.reload(&setup::logs(telemetry, &resource))
                        .map_err(|error| error.to_string())?;
                    tracing::error!(
                        error = text,
                        "The new configuration does not start; the one before is in force again"
                    );
                    settings = old.clone();
                    Next::prepare(old, resource, None)?
                }
            };
        }
    })
}

/// What the process is told from outside.
pub(super) enum Word {
    /// To end; the signal's name.
    Stop(&'static str),
    /// To read the configuration again.
    Reload,
}

/// The signals that the gateway listens to.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Signals, String> {
        let listen =
            |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Word {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Word::Stop("terminated"),
            _ = self.interrupt.recv() => Word::Stop("interrupt"),
            _ = self.hangup.recv() => Word::Reload,
        }
    }
}
