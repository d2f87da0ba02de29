#!/usr/bin/env python3
"""Joins the commitments of neighbours into one."""

import json

import transcript
from push0_prover import Accepted, Proof, Prover, Refused, main, vkey_of


class Join(Prover):
    """Joins commitments of neighbours. No zero-knowledge proof."""

    name = "join"

    def vkey(self):
        return vkey_of(b"push0 example: join/1")

    def prove(self, task, progress):
        made = {"parts": [json.loads(item.result().proof) for item in task.items]}
        return Proof(public_values=transcript.state(made).encode(), proof=transcript.encode(made))

    def verify(self, envelope):
        said = transcript.judge(envelope, envelope.proof)
        if isinstance(said, Accepted) and envelope.inputs is not None:
            parts = [json.loads(item.result().proof) for item in envelope.inputs]
            if transcript.encode({"parts": parts}) != envelope.proof:
                return Refused("it was joined from other proofs")
        return said


if __name__ == "__main__":
    main(Join)
