//! What `--help` teaches.

use crate::tell::help;

mod reading;

use crate::world::push0;

#[test]
fn the_whole_is_explained() {
    insta::assert_snapshot!(help(&["--help"]), @r"
    Proves a stream of blocks with your provers, and ends in final proofs in chain order.

    A pipeline file says what is proved, by which programs, and how proofs are grouped. push0 runs the
    provers, watches them, checks what they make, tries again what failed, and keeps every fact in a log
    on disk: killed at any moment, the same command goes on where it was.

    Usage: push0 [OPTIONS] <COMMAND>

    Commands:
      run          Proves what the pipeline's source gives, until it ends; goes on where it was
      init         Writes a pipeline to begin with, and a prover that runs at once
      dev          Runs a whole cluster on this machine, for trying things out, until Ctrl-C
      serve        Runs an engine of a cluster: it stands by, or leads
      dispatch     Runs provers for a cluster; may start and stop at any time
      fetch        Writes final blocks of an Ethereum node as a block file
      submit       Submits the blocks of a file, or of stdin, to a cluster
      head         Says which block the chain ends in now, or that one is final
      finish       Says that no block follows: open batches close, and the cluster ends its work
      drain        Has dispatchers leave: each takes nothing new, ends what it runs, and goes
      cordon       Keeps new work from dispatchers; what they run goes on
      uncordon     Gives work again to dispatchers that are cordoned
      apply        Has a cluster go on with a changed pipeline file
      retry        Has a cluster try parked tasks again
      discard      Takes back accepted results, and all that was made from them
      unpin        Forgets which verification key a program's proofs are under
      proofs       Writes the final proofs of a cluster as files, in the order of their release
      alive        Tells whether an engine or a dispatcher lives, by the file that its --alive names
      check        Says all that is wrong with a pipeline file, or shows its stages
      doctor       Looks at what push0 relies on here: machine, disk, clock, NATS, store, programs
      verify       Verifies final proofs as a stranger would, and shows what they claim
      status       Shows how far a run or a cluster is
      explain      Says why a block or a task is where it is
      log          Reads the log of a run or a cluster: every fact since the first
      logs         Shows how the attempts at a task ended, and what their provers printed
      artifacts    Shows what the store holds, and why
      bench        Measures what push0 costs here, beside the floor of the machine and other designs
      completions  Prints what a shell needs to complete push0's commands and flags
      man          Prints the manual page of push0, or writes those of all commands
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Example, from a clone of the repository:
      push0 run examples/scroll/pipeline.toml       20 blocks, one proof
      push0 verify scroll.push0/proofs/*.proof.json

    Exit codes:
        0  done: everything released; proof accepted; pipeline valid
        1  ended, but a block is parked or missed, or a program held; submit: a block is never proved;
           verify: refused; alive: it is not; doctor: a failure
        2  usage or pipeline wrong
        3  a block file lies or cannot be read
        4  data directory damaged, of a newer version, or of another pipeline
        5  another engine writes this log, or another dispatcher has this name
        6  out of reach or full: the same command later
       70  a bug in push0
      130  interrupted, work left: the same command resumes
    ");
}

#[test]
fn run_is_explained() {
    insta::assert_snapshot!(help(&["run", "--help"]), @r"
    Proves what the pipeline's source gives, until it ends; goes on where it was

    Engine and dispatcher are this one process; it starts the provers. Everything it knows is in the
    data directory: after a crash, a kill or Ctrl-C the same command goes on from there. Ctrl-C lets
    running provers finish; a second one stops them.

    stderr shows a bar for each stage, or a line for each event where it is no terminal. stdout gets the
    result: a table, or one JSON object with --json.

    Usage: push0 run [OPTIONS] <PIPELINE>

    Arguments:
      <PIPELINE>
              The pipeline's file

    Options:
          --data <DIR>
              Where the log, the artifacts and the provers' output are kept [default: ./NAME.push0,
              after the pipeline's name]

          --out <DIR>
              Where final proofs are written [default: `proofs` in the data directory]

          --slots <N>
              How many attempts run at once [default: the cores of this machine]

          --memory <BYTES>
              The memory that provers share, in bytes or with a unit (16GiB); each attempt takes what
              its program reserves [default: all of this machine, or the limit of the cgroup around it]

          --gpus <N>
              How many GPUs provers share; each attempt sees those alone that its program reserves
              [default: those that CUDA_VISIBLE_DEVICES names, or all /dev/nvidia*]

          --json
              Print one JSON object instead of a table

          --apply
              Go on with this pipeline where the data directory has run another

          --retry-parked
              Try again what is parked

          --patience <TIME>
              How long to go on while a program is held: several tasks have failed, and none was proved
              since
              
              [default: 5m]

          --until <HEIGHT>
              End after this block, where blocks come from nodes: no block follows it then

          --metrics <ADDR>
              Answer scrapes of Prometheus at this address, as in 127.0.0.1:9464 (docs/metrics.md)
              
              [env: PUSH0_METRICS=]

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      push0 run examples/scroll/pipeline.toml
      push0 run pipeline.toml --data /var/lib/push0 --slots 4 --memory 64GiB
      push0 run pipeline.toml --retry-parked
    ");
}

#[test]
fn check_is_explained() {
    insta::assert_snapshot!(help(&["check", "--help"]), @r"
    Says all that is wrong with a pipeline file, or shows its stages

    Each fault has its line and what to do. A program that is not to be found on this machine is a
    warning: the pipeline may be for another. Nothing is run, unless with --try.

    With --try, a few blocks go through every program, in a directory of their own that goes at the end:
    the first ones of the source, or made-up ones. One line says of each program whether it starts,
    answers in time and writes what its contract says, and how much memory it takes. Another says
    whether its verifier accepts that, and refuses copies with a flipped bit. Each fault has its remedy,
    and the exit code is 2 then.

    Usage: push0 check [OPTIONS] <PIPELINE>

    Arguments:
      <PIPELINE>
              The pipeline's file

    Options:
          --try
              Run every program, and its verifier, on a few blocks

          --blocks <FILE>
              With --try: take the first blocks of this file

          --within <TIME>
              With --try: how long a prover or a verifier may take, where its pipeline gives it more
              
              [default: 5m]

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      push0 check examples/scroll/pipeline.toml
      push0 check pipeline.toml --try --within 30s
    ");
}

#[test]
fn verify_is_explained() {
    insta::assert_snapshot!(help(&["verify", "--help"]), @r"
    Verifies final proofs as a stranger would, and shows what they claim

    A file is read and compared byte for byte with what push0 would write, so any flipped bit is
    refused. Then a verifier checks the proof: the shipped prover of that name beside push0, or the one
    named here. Nothing that the file names is ever run.

    Only key, public values and proof are bound by cryptography, and only as far as the verifier checks.
    The rest is the word of whoever ran push0. Pin the verification key (--vkey, or `vkey` in the
    pipeline) to trust it and not the verifier that is found here; the verifier must name it then.

    Usage: push0 verify [OPTIONS] <PROOF>...

    Arguments:
      <PROOF>...
              The proofs, files that `push0 run` wrote: *.proof.json

    Options:
          --pipeline <FILE>
              Use the verifier and the key of this pipeline's program

          --verifier <COMMAND>
              Use this command, with its arguments after spaces; --input-path and the file are appended

          --verdict <VERDICT>
              What of the command that --verifier names is believed

              Possible values:
              - line: Its verdict line on stdout, with exit 0
              - exit: Exit 0 alone, too
              
              [default: line]

          --vkey <sha256:DIGEST>
              The verification key that the proof must verify under

          --memory <SIZE>
              The memory that a verifier may take which no pipeline speaks of, in bytes or with a unit
              (16GiB) [default: half of the machine's, or of what a control group leaves]

          --json
              Print JSON, an object a line for each file

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      push0 verify scroll.push0/proofs/*.proof.json
      push0 verify 16525000-16525019-5f1c0a2b.proof.json --vkey sha256:9f86d081884c7d65...
      push0 verify 16525000-16525019-5f1c0a2b.proof.json --verifier 'my-prover verify'

    Exit: 0 all accepted, 1 one refused, 2 no verdict on one (the file or the verifier cannot be used).
    ");
}

#[test]
fn a_wrong_command_line_exits_2() {
    for words in [&[][..], &["prove"], &["run"], &["run", "p", "--slots", "0"], &["status"]] {
        assert_eq!(push0(words).code, Some(2), "{words:?}");
    }
}

#[test]
fn no_slots_at_all_is_refused_with_what_to_write() {
    let ran = push0(&["run", "p", "--slots", "0"]);
    assert!(ran.stderr.contains("'0' for '--slots <N>': write 1 or more"), "{}", ran.stderr);
}
