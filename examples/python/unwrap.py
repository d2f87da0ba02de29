#!/usr/bin/env python3
"""Verifies what `wrap.sh` makes."""

import zlib

import transcript
from push0_prover import Accepted, Prover, Refused, Unprovable, main, vkey_of


class Unwrap(Prover):
    """Verifies a wrapped commitment. `wrap.sh` is its prover."""

    name = "unwrap"

    def vkey(self):
        return vkey_of(b"push0 example: wrap/1")

    def prove(self, task, progress):
        raise Unprovable("this only verifies: wrap.sh proves")

    def verify(self, envelope):
        inflated = inflate(envelope.proof)
        said = transcript.judge(envelope, inflated)
        if isinstance(said, Accepted) and envelope.inputs is not None:
            [joined] = envelope.inputs
            if joined.result().proof != inflated:
                return Refused("it wraps another proof")
        return said


def inflate(data):
    """The bytes in a gzip file; of a few bytes that would become very many, no more than the bound."""
    gzip = zlib.decompressobj(wbits=31)
    try:
        inflated = gzip.decompress(data, TRANSCRIPT_BYTES_MAX)
    except zlib.error as error:
        raise Refused(f"the proof is no gzip file: {error}") from error
    if not gzip.eof or gzip.unused_data:
        raise Refused("the proof is not one whole gzip file, or too large")
    return inflated


TRANSCRIPT_BYTES_MAX = 64 << 20

if __name__ == "__main__":
    main(Unwrap)
