//! `transform`: the process that runs jq programs for a relay, one after another. It has nothing
//! to lose: no secret, no file, no socket; bounds on its memory and time that the system enforces.
//! A program that goes beyond them ends this process, and nothing else.

use crate::jq::{
    ANSWER_BYTES_MAX, CPU_SECONDS_MAX, Program, REQUEST_BYTES_MAX, TransformAnswer,
    TransformRequest,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::process::ExitCode;

/// What a program may use beyond what the process has at its start. An event is some kB, a result
/// at most 1 MiB; values of jq take some ten times their text.
const MEMORY_BYTES_MAX: u64 = 64 << 20;

/// Programs kept compiled. A configuration has a few.
const PROGRAMS_MAX: usize = 16;

/// Answers requests until its input ends.
pub(super) fn transform() -> anyhow::Result<ExitCode> {
    limit_memory();
    let mut programs = BTreeMap::new();
    while let Some(request) = read_request()? {
        limit_time();
        let answer = answer(&mut programs, request);
        write_answer(&answer)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(programs: &mut BTreeMap<String, Program>, request: TransformRequest) -> TransformAnswer {
    if !programs.contains_key(&request.program) {
        if programs.len() >= PROGRAMS_MAX {
            programs.clear();
        }
        match Program::compile(&request.program) {
            Ok(program) => programs.insert(request.program.clone(), program),
            Err(error) => return TransformAnswer::Failed(error.to_string()),
        };
    }
    let Some(program) = programs.get(&request.program) else {
        return TransformAnswer::Failed("the program is lost".to_owned());
    };
    match program.run(&request.input) {
        Ok(result) => TransformAnswer::Made(result),
        Err(error) => TransformAnswer::Failed(error.to_string()),
    }
}

/// A length in four bytes, the most significant first, then JSON; `None` at the end of the input.
fn read_request() -> anyhow::Result<Option<TransformRequest>> {
    let mut input = std::io::stdin().lock();
    let mut length = [0; 4];
    if input.read_exact(&mut length).is_err() {
        return Ok(None);
    }
    let length = usize::try_from(u32::from_be_bytes(length))?;
    anyhow::ensure!(length <= REQUEST_BYTES_MAX, "a request of {length} bytes");
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok(Some(serde_json::from_slice(&body)?))
}

fn write_answer(answer: &TransformAnswer) -> anyhow::Result<()> {
    let body = serde_json::to_vec(answer)?;
    anyhow::ensure!(body.len() <= ANSWER_BYTES_MAX, "an answer of {} bytes", body.len());
    let mut output = std::io::stdout().lock();
    output.write_all(&u32::try_from(body.len())?.to_be_bytes())?;
    output.write_all(&body)?;
    Ok(output.flush()?)
}

/// Bounds the address space at what it is now and [`MEMORY_BYTES_MAX`] more. Where the system does
/// not tell what it is now, the bound on time and that of the pod are left.
fn limit_memory() {
    let bound = |bytes| Rlimit { current: Some(bytes), maximum: Some(bytes) };
    let _ = setrlimit(Resource::Core, bound(0));
    if let Some(used) = address_space() {
        let _ = setrlimit(Resource::As, bound(used.saturating_add(MEMORY_BYTES_MAX)));
    }
}

/// Bytes of this process's address space (`VmSize` of `/proc/self/status`, in kibibytes).
fn address_space() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let size = text.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    let kibibytes: u64 = size.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Gives the next program [`CPU_SECONDS_MAX`], whatever those before it used: the system ends the
/// process after that. The bound is one in whole seconds, and the second under way is not counted.
fn limit_time() {
    let used = u64::try_from(clock_gettime(ClockId::ProcessCPUTime).tv_sec).unwrap_or(0);
    let bound = used.saturating_add(1).saturating_add(CPU_SECONDS_MAX);
    let bound = Rlimit { current: Some(bound), maximum: None };
    let _ = setrlimit(Resource::Cpu, bound);
}
