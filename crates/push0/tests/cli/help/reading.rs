//! What `--help` teaches of the commands that read what was recorded.

use super::help;

#[test]
fn artifacts_is_explained() {
    insta::assert_snapshot!(help(&["artifacts", "--help"]), @r"
    Shows what the store holds, and why

    Payloads, results and final proofs, what failed attempts of a cluster printed, and what nothing
    refers to, which an engine removes once it is older than any result that waits. Changes nothing.
    Exit 1: something is missing or damaged; it is made again when it is needed.

    Usage: push0 artifacts [OPTIONS]

    Options:
          --data <DIR>
              The data directory of a run; a cluster without it

          --config <FILE>
              The machine's settings: [nats], [store], [dispatch], [telemetry]
              
              [env: PUSH0_CONFIG]

          --nats <URLS>
              The NATS servers, with commas between [default: nats://127.0.0.1:4222]
              
              [env: PUSH0_NATS]

          --store <PLACE>
              The directory or bucket (s3://BUCKET/PREFIX) that all machines share, where artifacts are
              
              [env: PUSH0_STORE]

          --verify
              Read every artifact, and compare it with its digest

          --list
              A line for each artifact

          --json
              Print one JSON object instead of a table

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      push0 artifacts --data scroll.push0 --verify
      push0 artifacts --nats nats://a:4222 --store /shared
    ");
}

#[test]
fn log_is_explained() {
    insta::assert_snapshot!(help(&["log", "--help"]), @r"
    Reads the log of a run or a cluster: every fact since the first

    Takes no lock, and asks no engine, so it works beside a running one and after it. Changes nothing.

    Usage: push0 log [OPTIONS] <COMMAND>

    Commands:
      cat     Prints events, a line each
      verify  Checks every byte of a run's log, and that every event may follow those before it
      step    Walks through the log event by event, with what each changed

    Options:
      -h, --help
              Print help (see a summary with '-h')
    ");
    insta::assert_snapshot!(help(&["log", "cat", "--help"]), @r#"
    Prints events, a line each

    Each line about a task has the task's stage and key. An event must match every flag.

    Usage: push0 log cat [OPTIONS]

    Options:
          --data <DIR>
              The data directory of a run; a cluster without it

          --config <FILE>
              The machine's settings: [nats], [store], [dispatch], [telemetry]
              
              [env: PUSH0_CONFIG]

          --nats <URLS>
              The NATS servers, with commas between [default: nats://127.0.0.1:4222]
              
              [env: PUSH0_NATS]

          --store <PLACE>
              The directory or bucket (s3://BUCKET/PREFIX) that all machines share, where artifacts are
              
              [env: PUSH0_STORE]

          --task <TASK>
              Only events of this task: its id, or the first digits of it

          --block <HEIGHT>
              Only events about this block, alone or among others

          --stage <STAGE>
              Only events of this stage

          --event <NAMES>
              Only events of these names, with commas between

          --since <TIME>
              Only events since this time (2025-10-09T08:53:20Z), or of the last while (10m)

      -f, --follow
              Go on as the log grows, until Ctrl-C

          --json
              Print JSON, an object a line

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      push0 log cat --data scroll.push0
      push0 log cat --data scroll.push0 --event failed,parked --since 1h
      push0 log cat --nats nats://a:4222 --block 16525004 -f
      push0 log cat --data scroll.push0 --json | grep '"event":"accepted"' | wc -l
    "#);
    insta::assert_snapshot!(help(&["log", "verify", "--help"]), @r"
    Checks every byte of a run's log, and that every event may follow those before it

    Usage: push0 log verify [OPTIONS] --data <DIR>

    Options:
          --data <DIR>
              The data directory

          --json
              Print JSON, an object a line

      -h, --help
              Print help (see a summary with '-h')

    Example:
      push0 log verify --data scroll.push0
    ");
}

#[test]
fn logs_is_explained() {
    insta::assert_snapshot!(help(&["logs", "--help"]), @r"
    Shows how the attempts at a task ended, and what their provers printed

    The end of each attempt's output, oldest first. Of an attempt that runs, the dispatcher that has it
    is asked. In a cluster that dispatcher is asked afterwards too; what failed attempts printed is in
    the store (--store), and is there when their machine is not. `push0 status` and `push0 log cat` name
    tasks and attempts.

    Usage: push0 logs [OPTIONS] [TASK]

    Arguments:
      [TASK]
              A task's id or the first digits of it (4 at least), an attempt's number, or a key
              (16525002-16525003)

    Options:
          --block <HEIGHT>
              Of all tasks that are about this block, alone or among others

      -f, --follow
              Go on with what runs, and with what is tried next, until nothing more follows, or Ctrl-C

          --data <DIR>
              The data directory of a run (`--data` of `push0 run`, ./NAME.push0 by default); a cluster
              without it

          --config <FILE>
              The machine's settings: [nats], [store], [dispatch], [telemetry]
              
              [env: PUSH0_CONFIG]

          --nats <URLS>
              The NATS servers, with commas between [default: nats://127.0.0.1:4222]
              
              [env: PUSH0_NATS]

          --store <PLACE>
              The directory or bucket (s3://BUCKET/PREFIX) that all machines share, where artifacts are
              
              [env: PUSH0_STORE]

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      push0 logs 3f9a01c2 --data scroll.push0
      push0 logs 117 --data scroll.push0 -f
      push0 logs --block 16525004 --nats nats://a:4222 --store /shared
    ");
}

#[test]
fn explain_is_explained() {
    insta::assert_snapshot!(help(&["explain", "--help"]), @r#"
    Says why a block or a task is where it is

    What happened to it, by the log: who tried it, for how long, and how that ended. What it waits for
    now, by the word of the engine that leads and of its dispatchers. And what makes it move: a command
    to type, or that there is nothing to do. Changes nothing.

    Usage: push0 explain [OPTIONS] <BLOCK|KEY|TASK>

    Arguments:
      <BLOCK|KEY|TASK>
              A block's number, a key (16525002-16525003), or a task's id or the first digits of it (4
              at least)

    Options:
          --data <DIR>
              The data directory of a run; a cluster without it

          --config <FILE>
              The machine's settings: [nats], [store], [dispatch], [telemetry]
              
              [env: PUSH0_CONFIG]

          --nats <URLS>
              The NATS servers, with commas between [default: nats://127.0.0.1:4222]
              
              [env: PUSH0_NATS]

          --store <PLACE>
              The directory or bucket (s3://BUCKET/PREFIX) that all machines share, where artifacts are
              
              [env: PUSH0_STORE]

          --json
              Print JSON, an object a line for each block or task

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      push0 explain 16525003 --data scroll.push0
      push0 explain 3f9a01c2 --nats nats://a:4222
    "#);
}
