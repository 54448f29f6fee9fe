//! jq programs, run in processes of our own binary: a program that loops or fills the memory takes
//! its process with it, and leaves no thread behind. A process serves one program after another,
//! so that an ordinary one costs no more than a message through two pipes.

use crate::integration::Reply;
use crate::jq::{
    ANSWER_BYTES_MAX, CPU_SECONDS_MAX, REQUEST_BYTES_MAX, Transform, TransformAnswer,
    TransformRequest,
};
use parking_lot::Mutex;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Semaphore;

/// Programs that run at once. Each may use a processor and the memory that it is bounded to.
const PROCESSES_MAX: usize = 2;

/// How long an answer is waited for, on a machine however busy. What is to blame on the program is
/// bounded by the processor time it may use; after this it is tried again.
const TRANSFORM_TIMEOUT: Duration = Duration::from_secs(8);

/// The subcommand that answers.
const SUBCOMMAND: &str = "transform";

/// Keeps the allocator from reserving a gibibyte at its start, which the bound on the address space
/// would have to let in, and a program could then fill.
const NO_RESERVE: (&str, &str) = ("MIMALLOC_ARENA_RESERVE", "0");

/// SIGKILL: nothing that the program did.
const KILLED: i32 = 9;

/// SIGXCPU: the program used up its processor time.
const OUT_OF_TIME: i32 = 24;

/// The processes of this relay.
#[derive(Clone, Debug)]
pub struct JqProcesses(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    binary: PathBuf,
    places: Semaphore,
    idle: Mutex<Vec<Process>>,
}

/// Why a process gave no answer.
#[derive(Debug, thiserror::Error)]
enum TransformError {
    #[error("a process for the program could not be started: {0}")]
    Start(std::io::Error),
    #[error("the event is larger than a program may be given")]
    TooLarge,
    #[error("jq program did not end within {CPU_SECONDS_MAX} s of processor time")]
    Endless,
    #[error("jq program had no chance to end within {} ms", .0.as_millis())]
    Starved(Duration),
    #[error("jq program ended its process: it needs too much memory, or recurses too deep")]
    Ended,
    #[error("the process of the program was killed")]
    Killed,
}

impl TransformError {
    /// Whether the program is to blame, so that it would do the same again.
    fn is_final(&self) -> bool {
        match self {
            Self::TooLarge | Self::Endless | Self::Ended => true,
            Self::Start(_) | Self::Starved(_) | Self::Killed => false,
        }
    }
}

impl Default for JqProcesses {
    /// Processes of the binary that runs now, also where its file has been replaced.
    fn default() -> Self {
        let this = PathBuf::from("/proc/self/exe");
        let binary = match std::env::current_exe() {
            Ok(path) if !this.exists() => path,
            Ok(_) | Err(_) => this,
        };
        let places = Semaphore::new(PROCESSES_MAX);
        Self(Arc::new(Pool { binary, places, idle: Mutex::default() }))
    }
}

impl JqProcesses {
    /// What the program makes of its input. A program that does not end within the processor time
    /// it may use takes its process with it.
    pub async fn run(&self, transform: &Transform) -> Reply {
        match self.answer(transform, TRANSFORM_TIMEOUT).await {
            Ok(TransformAnswer::Made(result)) => Reply::Transformed(result),
            Ok(TransformAnswer::Failed(detail)) => Reply::NotTransformed { is_final: true, detail },
            Err(error) => {
                let (is_final, detail) = (error.is_final(), error.to_string());
                Reply::NotTransformed { is_final, detail }
            }
        }
    }

    async fn answer(
        &self,
        transform: &Transform,
        deadline: Duration,
    ) -> Result<TransformAnswer, TransformError> {
        let request = TransformRequest {
            program: transform.program.to_string(),
            input: transform.input.clone(),
        };
        let request = serde_json::to_vec(&request).map_err(|_| TransformError::TooLarge)?;
        if request.len() > REQUEST_BYTES_MAX {
            return Err(TransformError::TooLarge);
        }
        let place = tokio::time::timeout(deadline, self.0.places.acquire()).await;
        let Ok(Ok(_place)) = place else { return Err(TransformError::Starved(deadline)) };
        let idle = self.idle().pop();
        let mut process = match idle {
            Some(process) => process,
            None => Process::start(&self.0.binary).map_err(TransformError::Start)?,
        };
        match tokio::time::timeout(deadline, process.ask(&request)).await {
            Ok(Ok(answer)) => {
                self.idle().push(process);
                Ok(answer)
            }
            Ok(Err(_)) => Err(ended(process.end().await)),
            Err(_) => {
                process.end().await;
                Err(TransformError::Starved(deadline))
            }
        }
    }

    fn idle(&self) -> parking_lot::MutexGuard<'_, Vec<Process>> {
        self.0.idle.lock()
    }
}

fn ended(status: Option<ExitStatus>) -> TransformError {
    match status.and_then(|status| status.signal()) {
        Some(KILLED) => TransformError::Killed,
        Some(OUT_OF_TIME) => TransformError::Endless,
        Some(_) | None => TransformError::Ended,
    }
}

/// One process, waiting for a program or running one. Dropped, it is killed.
#[derive(Debug)]
struct Process {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Process {
    fn start(binary: &Path) -> std::io::Result<Self> {
        let mut command = Command::new(binary);
        command.arg(SUBCOMMAND).env_clear().envs([NO_RESERVE]).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| std::io::Error::other("no pipe"))?;
        Ok(Self { child, input, output })
    }

    /// Sends a request and reads the answer. After an error the process is of no use.
    async fn ask(&mut self, request: &[u8]) -> std::io::Result<TransformAnswer> {
        let too_large = |_| std::io::Error::other("too large");
        let length = u32::try_from(request.len()).map_err(too_large)?;
        self.input.write_all(&length.to_be_bytes()).await?;
        self.input.write_all(request).await?;
        self.input.flush().await?;
        let mut length = [0; 4];
        self.output.read_exact(&mut length).await?;
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(too_large)?;
        if length > ANSWER_BYTES_MAX {
            return Err(std::io::Error::other("too large"));
        }
        let mut answer = vec![0; length];
        self.output.read_exact(&mut answer).await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    /// Ends the process, and waits until it is gone: none is left, not even as a zombie. Gives how
    /// it ended where it did so by itself.
    async fn end(mut self) -> Option<ExitStatus> {
        // A process that closed its output is about to end.
        let by_itself = tokio::time::timeout(Duration::from_millis(200), self.child.wait()).await;
        if let Ok(Ok(status)) = by_itself {
            return Some(status);
        }
        let _ = self.child.kill().await;
        None
    }
}
