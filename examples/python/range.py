#!/usr/bin/env python3
"""Commits to the blocks of a range."""

import transcript
from push0_prover import Accepted, Proof, Prover, Refused, main, vkey_of


class Range(Prover):
    """Commits to consecutive blocks by SHA-256. No zero-knowledge proof."""

    name = "range"

    def vkey(self):
        # There is no key. This names the rules, and changes when they do.
        return vkey_of(b"push0 example: range/1")

    def prove(self, task, progress):
        entries = []
        for item in task.items:
            progress.check()
            entries.append(transcript.block_entry(item.bytes))
            progress.fraction(len(entries) / len(task.items))
        made = {"blocks": entries}
        return Proof(public_values=transcript.state(made).encode(), proof=transcript.encode(made))

    def verify(self, envelope):
        said = transcript.judge(envelope, envelope.proof)
        if isinstance(said, Accepted) and envelope.inputs is not None:
            # push0 asks before it accepts, and gives the blocks: it must be of exactly these.
            mine = {"blocks": [transcript.block_entry(item.bytes) for item in envelope.inputs]}
            if transcript.encode(mine) != envelope.proof:
                return Refused("it is of other blocks")
        return said


if __name__ == "__main__":
    main(Range)
