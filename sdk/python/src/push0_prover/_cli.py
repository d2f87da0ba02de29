"""The `main` of every prover: reads the command line, and speaks the contract that it asks for.

Arguments that the SDK does not know are the prover's own and reach it as `Task.args`.

Not here: what each contract does (`_file`, `_serve`, `_verify`).
"""

from __future__ import annotations

import contextlib
import faulthandler
import inspect
import os
import sys
from dataclasses import dataclass
from typing import List, NoReturn, Optional, Tuple, Type

from . import _file, _serve, _verify
from ._failures import Cancelled
from ._loaded import name_of
from ._prover import Prover
from ._stdio import Replies, complain, end, take_stdout
from ._stopping import Stopping


def main(of: Type[Prover]) -> NoReturn:
    """Runs the prover as a program: under the file contract, the serve contract, or as a verifier.

    It is the last line of a prover's file, and is given the class, not a value. It does not return.
    """
    if not (isinstance(of, type) and issubclass(of, Prover)):
        raise TypeError(f"main takes the class of a prover, not {of!r:.80}")
    try:
        command = _parse(sys.argv[1:])
    except UsageError as error:
        complain(f"error: {error}\n(--help says how it is used)")
        end(USAGE)
    if command.wants_help:
        take_stdout().write(_help(of).encode("utf-8") + b"\n")
        end(0)
    if command.is_serve and _serves_nobody():
        complain(_help(of))
        end(USAGE)
    try:
        out = take_stdout()
        stopping = Stopping()
    except (OSError, ValueError, RuntimeError) as error:
        complain(f"error: cannot set up the process: {error}")
        end(TRANSIENT)
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        faulthandler.enable()  # A crash of native code shows where it was, if there is a stderr.
    try:
        end(_run(of, command, out, stopping))
    except Cancelled:
        stopping.die()
    except BaseException as error:
        # The prover turned the stop into another exception.
        if stopping.signal is not None:
            stopping.die()
        end(_file.fail(error))


@dataclass(frozen=True)
class Command:
    """What the command line asks for."""

    args: Tuple[str, ...] = ()
    input: Optional[str] = None
    output: Optional[str] = None
    wants_help: bool = False

    @property
    def is_serve(self) -> bool:
        return not self.wants_help and self.input is None


class UsageError(Exception):
    """The command line cannot be followed."""


def _run(of: Type[Prover], command: Command, out: Replies, stopping: Stopping) -> int:
    if command.input is None:
        return _serve.serve(of, command.args, out, stopping)
    if command.output is None:
        return _verify.verify(of, command.input, out, stopping)
    return _file.prove(of, (command.input, command.output), command.args, out, stopping)


def _parse(argv: List[str]) -> Command:
    paths = {INPUT: "", OUTPUT: ""}
    args: List[str] = []
    words = iter(argv)
    for word in words:
        flag = FLAGS.get(word)
        if word in ("--help", "-h"):
            return Command(wants_help=True)
        if flag is None:
            args.append(_utf8(word))
            continue
        path = next(words, "")
        if not path:
            raise UsageError(f"{flag} needs a path after it")
        if paths[flag]:
            raise UsageError(f"{flag} is given twice")
        paths[flag] = path
    # `verify` stands last: before it may be the program's own arguments.
    is_verify = args[-1:] == ["verify"]
    if paths[OUTPUT] and not paths[INPUT] or is_verify and not paths[INPUT]:
        raise UsageError(f"{INPUT} is missing")
    if paths[INPUT] and not paths[OUTPUT] and not is_verify:
        raise UsageError(f"{OUTPUT} is missing")
    return Command(tuple(args), paths[INPUT] or None, paths[OUTPUT] or None)


def _utf8(word: str) -> str:
    try:
        word.encode("utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"argument {word!r} is not UTF-8") from None
    return word


def _serves_nobody() -> bool:
    return os.environ.get("PUSH0_CONTRACT") != "serve" and os.isatty(0)


def _help(of: Type[Prover]) -> str:
    about = inspect.cleandoc(of.__doc__ or "") + "\n\n" if of.__doc__ else ""
    mock = "MOCK: what it makes proves nothing.\n\n" if of.mock else ""
    return HELP.format(name=name_of(of), about=about, mock=mock)


HELP = """\
{name}: a prover for push0

{mock}{about}Usage:
  {name} [ARGS] --input-path FILE --output-path FILE
      Proves one task and exits. FILE holds a bundle, one item, an array of
      items, or a block number. Lines `progress 0.42` on stdout tell how far it is.
      Exit: 0 written, 75 try again, 77 unprovable, 137 out of memory, 1 failed.
  {name} [ARGS]
      Serves: reads one JSON object a line from stdin, answers on stdout, proves
      one task after another, and exits at the end of stdin.
        {{"prove":{{"task":"2a","attempt":1,"stage":"leaf","args":[],
                  "input":"/abs/in","output":"/abs/out","deadline_ms":60000}}}}
        {{"cancel":{{"attempt":1}}}}
  {name} [ARGS] verify --input-path ENVELOPE
      Checks a proof, and says so on stdout in a line: {{"vkey":…,"claim":…}}
      and exit 0 accepted, {{"refused":"why"}} and 1 refused,
      {{"undecided":"why"}} and 2 could not tell.

Options:
  -i, --input-path FILE    what to prove, or to verify
  -o, --output-path FILE   where the result goes
  -h, --help               this text

Environment:
  PUSH0_CACHE              a directory that may be kept between runs
                           [default: $XDG_CACHE_HOME/push0/{name}]
  PUSH0_TASK, PUSH0_STAGE, PUSH0_ATTEMPT, PUSH0_DEADLINE (milliseconds left)
                           what the task is; push0 sets them
  PUSH0_CONTRACT=serve     serve even if stdin is a terminal"""

INPUT = "--input-path"
OUTPUT = "--output-path"
FLAGS = {INPUT: INPUT, "-i": INPUT, OUTPUT: OUTPUT, "-o": OUTPUT}

#: The exit code for a command line that makes no sense.
USAGE = 2

#: The exit code of a failure that may be over another time.
TRANSIENT = 75
