//! One configuration after the other (SIGHUP), in the process that runs. The new
//! one is read, checked, built and started beside the old one, on the same
//! addresses; what is wrong with it is an error in the log, and nothing changes.
//! Once it serves, the old one takes no more connections and finishes what it has.

use std::collections::BTreeMap;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{oneshot, watch},
    task::JoinHandle,
};

use super::{Gateway, Health};
use crate::{
    admin::http::Server,
    cli::RunOptions,
    config::Settings,
    graph::Shared,
    net::{config::HttpServer, listen::Alone},
    telemetry::{
        logs::{LogHandle, LogsConfig},
        push::logs::LogPusher,
        setup,
    },
};

/// A configuration that can run, and what was made ready for it.
pub(super) struct Next {
    pub(super) settings: Settings,
    /// Attributes of the process's resource.
    pub(super) resource: Vec<(String, String)>,
    pub(super) shared: Shared,
    pub(super) log_pushers: Vec<LogPusher>,
    logs: LogsConfig,
}

impl Next {
    /// Loads and binds what the settings name beside what `running` has.
    fn prepare(
        settings: Settings,
        log_pushers: Vec<LogPusher>,
        running: Option<&Shared>,
    ) -> Result<Next, String> {
        let telemetry = &settings.service.telemetry;
        let resource = setup::resource(telemetry);
        let logs = setup::logs(telemetry, &resource, &log_pushers);
        let shared = Shared::prepare(&settings, running)?;
        Ok(Next {
            settings,
            resource,
            shared,
            log_pushers,
            logs,
        })
    }

    /// The configuration as its sources have it now.
    async fn load(options: &RunOptions, running: &Shared) -> Result<Next, String> {
        let load = options.load.clone();
        // Sources may be far away; the pages must not wait for them.
        let settings = tokio::task::spawn_blocking(move || {
            let settings = Settings::load(&load).map_err(|e| e.text(true))?;
            settings.startable().map_err(|e| e.text(true))?;
            Ok::<_, String>(settings)
        })
        .await
        .map_err(|error| error.to_string())??;
        let log_pushers = setup::log_pushers(&settings.service.telemetry)?;
        Next::prepare(settings, log_pushers, Some(running))
    }
}

/// A gateway with its pages.
struct Running {
    gateway: Gateway,
    pages: Pages,
    logs: LogsConfig,
}

/// What the control thread serves for one gateway.
pub(super) struct Pages {
    pub(super) addresses: Addresses,
    pub(super) servers: Vec<JoinHandle<()>>,
    pub(super) stopped: watch::Receiver<bool>,
    stop: watch::Sender<bool>,
}

impl Running {
    /// Starts a gateway and its pages, beside the one that runs.
    async fn start(
        next: Next,
        options: &RunOptions,
        before: Option<&Running>,
        log: &LogHandle,
    ) -> Result<(Running, Health), String> {
        let logs = next.logs.clone();
        let shared = before.map(|running| &running.gateway.shared);
        let gateway = Gateway::start(next, options, shared, log)?;
        let (stop, stopped) = watch::channel(false);
        let mut pages = Pages {
            addresses: Addresses::beside(before.map(|running| &running.pages.addresses)),
            servers: Vec::new(),
            stopped,
            stop,
        };
        match gateway.open(&mut pages) {
            Ok(health) => {
                let running = Running {
                    gateway,
                    pages,
                    logs,
                };
                Ok((running, health))
            }
            Err(text) => {
                pages.close().await;
                wait_for(Some(leave(gateway, false)?)).await;
                Err(text)
            }
        }
    }
}

impl Pages {
    async fn close(self) {
        tracing::info!("Stopping extensions...");
        let _ = self.stop.send(true);
        for server in self.servers {
            let _ = server.await;
        }
    }
}

/// Lets a gateway finish what it has, on a thread of its own. Ready when it is gone. `replaced`:
/// another has taken its place.
fn leave(gateway: Gateway, replaced: bool) -> Result<oneshot::Receiver<()>, String> {
    let (done, gone) = oneshot::channel();
    std::thread::Builder::new()
        .name("stop".into())
        .spawn(move || {
            gateway.stop();
            if replaced {
                tracing::info!("The former configuration has finished");
            }
            let _ = done.send(());
        })
        .map_err(|error| format!("cannot stop: {error}"))?;
    Ok(gone)
}

/// Runs the gateway, with one configuration after the other, until it is told to stop.
pub(super) fn serve(
    settings: Settings,
    options: &RunOptions,
    log_pushers: Vec<LogPusher>,
    log: &LogHandle,
) -> Result<(), String> {
    let control = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .map_err(|error| format!("cannot start the control thread: {error}"))?;
    control.block_on(async {
        // Before anything runs: a signal that comes early is not lost.
        let mut signals = Signals::listen()?;
        let next = Next::prepare(settings, log_pushers, None)?;
        let (mut running, mut health) = Running::start(next, options, None, log).await?;
        let mut leaving = None;
        running.gateway.greet(options);
        health.ready();
        loop {
            match signals.next().await {
                Word::Stop(signal) => {
                    tracing::info!(signal, "Received signal from OS");
                    break;
                }
                Word::Reload => {
                    // Two side by side are enough.
                    wait_for(leaving.take()).await;
                    match change(&running, options, log).await {
                        Ok((new, its)) => {
                            health = its;
                            health.ready();
                            let old = std::mem::replace(&mut running, new);
                            old.pages.close().await;
                            leaving = Some(leave(old.gateway, true)?);
                        }
                        Err(error) => tracing::error!(
                            error,
                            "The new configuration is not taken over; the one before stays in force"
                        ),
                    }
                }
            }
        }
        tracing::info!("Starting shutdown...");
        health.not_ready();
        // The pages stay up while the cores finish.
        wait_for(Some(leave(running.gateway, false)?)).await;
        wait_for(leaving).await;
        running.pages.close().await;
        tracing::info!("Shutdown complete.");
        Ok(())
    })
}

async fn wait_for(gone: Option<oneshot::Receiver<()>>) {
    if let Some(gone) = gone {
        // An error says that the thread is gone, too.
        let _ = gone.await;
    }
}

/// Starts the configuration as its sources have it now beside the one that runs.
async fn change(
    running: &Running,
    options: &RunOptions,
    log: &LogHandle,
) -> Result<(Running, Health), String> {
    let next = Next::load(options, &running.gateway.shared).await?;
    tracing::warn!("Config updated, restart service");
    log.reload(&next.logs).map_err(|error| error.to_string())?;
    let started = Running::start(next, options, Some(running), log).await;
    if started.is_err() {
        log.reload(&running.logs)
            .map_err(|error| error.to_string())?;
    }
    started
}

/// The addresses of pages, which stay bound from one configuration to the next.
#[derive(Default)]
pub(super) struct Addresses {
    before: BTreeMap<String, Alone>,
    bound: BTreeMap<String, Alone>,
}

impl Addresses {
    fn beside(running: Option<&Addresses>) -> Addresses {
        Addresses {
            before: running.map_or_else(BTreeMap::new, |addresses| addresses.bound.clone()),
            bound: BTreeMap::new(),
        }
    }

    /// Listens as configured, with the socket of the one who listens there now if there is one.
    ///
    /// # Errors
    /// See [`Server::listen`].
    pub(super) fn listen(&mut self, config: &HttpServer) -> Result<Server, String> {
        let address = &config.address;
        let name = format!("{:?} {}", address.transport, address.endpoint);
        let alone = match self.before.remove(&name) {
            Some(alone) => alone,
            None => Alone::bind(address)?,
        };
        let server = Server::on(&alone, config)?;
        self.bound.insert(name, alone);
        Ok(server)
    }
}

/// What the process is told from outside.
enum Word {
    /// To end; the signal's name.
    Stop(&'static str),
    /// To read the configuration again.
    Reload,
}

/// The signals that the gateway listens to.
struct Signals {
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

    async fn next(&mut self) -> Word {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Word::Stop("terminated"),
            _ = self.interrupt.recv() => Word::Stop("interrupt"),
            _ = self.hangup.recv() => Word::Reload,
        }
    }
}
