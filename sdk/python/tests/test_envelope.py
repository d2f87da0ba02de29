"""Envelopes: read and written as push0 does."""

import unittest

from support import KEY, Room, envelope
from test_verify import sealed

from push0_prover import (
    Damaged,
    Envelope,
    EnvelopeError,
    HistoryEntry,
    JointEnvelope,
    JointProof,
    Key,
    Program,
    read_proof_file,
    vkey_of,
)
from push0_prover._wire import Number


class Envelopes(Room):
    def test_an_envelope_is_written_as_the_formats_say(self):
        entry = HistoryEntry("2a", "leaf", None, KEY, ("0x01",), "03")
        program = Program("chain", vkey_of(b""))
        claim = {"b": "x", "a": 0.1}
        data = envelope("\0\1\2", program=program, claim=claim, history=(entry,)).encode()
        tip = "01" * 32
        key = f'{{"chain":1,"first":5,"last":6,"tip":"0x{tip}"}}'
        body = (
            f'{{"format":"push0.proof/1","pipeline":"demo","key":{key},'
            f'"program":{{"name":"chain","vkey":"{program.vkey}"}},"mock":false,'
            '"claim":{"a":0.1,"b":"x"},"public_values":"0x76","proof":"AAEC",'
            f'"history":[{{"task":"2a","stage":"leaf","vkey":null,"key":{key},"inputs":["0x01"],"output":"03"}}]}}'
        )
        self.assertEqual(data, sealed(body.encode()))

    def test_what_was_encoded_decodes_to_itself(self):
        part = Key(chain=1, first=5, last=5, tip=KEY.tip, part=3)
        for each in (
            envelope("p"),
            envelope("p", key=part, block_hashes="trusted"),
            envelope("p", claim={"ü": [1, -1, True, None, "\x1f\x7f\"\\/"]}),
            envelope("p", input_items=(self.item("a", b"1", task="2a", public_values=b""),)),
        ):
            self.assertEqual(Envelope.decode(each.encode()), each)

    def test_numbers_keep_the_text_that_they_were_read_from(self):
        for text in ("1e16", "1e+16", "1e-7", "0.1", "-0.0", "5e-324"):
            data = sealed(unsealed(envelope("p", claim=Number(text)).encode()))
            self.assertEqual(Envelope.decode(data).claim, float(text))
            self.assertIn(f'"claim":{text},'.encode(), data)

    def test_joint_envelopes_are_read_and_split(self):
        proofs = tuple(
            JointProof(stage, Program(stage, None), False, b"v", stage.encode(), {"a": 1})
            for stage in ("zisk", "sp1")
        )
        joint = JointEnvelope(pipeline="demo", key=KEY, proofs=proofs)
        self.assertEqual(read_proof_file(self.write("joint", joint.encode())), joint)
        alone = joint.split()
        self.assertEqual([each.proof for each in alone], [b"zisk", b"sp1"])
        self.assertEqual(alone[1], envelope("sp1", program=Program("sp1", None), claim={"a": 1}))
        with self.assertRaisesRegex(EnvelopeError, "split"):
            Envelope.decode(joint.encode())

    def test_each_fault_is_told(self):
        data = envelope("p").encode()
        body = unsealed(data)
        self.assertEqual(sealed(body), data)
        with self.assertRaises(Damaged):
            Envelope.decode(data.replace(b"demo", b"dema"))
        for change, told in (
            ((b"proof/1", b"proof/2"), "format is"),
            ((b'"mock":false', b'"mock": false'), "canonical"),
            ((b'"mock":false', b'"mock":false,"more":1'), "canonical"),
            ((b'"mock":false', b'"mock":0'), "mock is neither"),
            ((b'"mock":false', b'"mock":false,"mock":false'), "twice"),
            ((b'"first":5', b'"first":-5'), "first is no integer"),
            ((b'"claim":null', b'"claim":1e999'), "out of range"),
            ((b'"claim":null', b'"claim":NaN'), "NaN"),
            ((b'"claim":null', b'"claim":18446744073709551616'), "64 bits"),
            ((b'"claim":null', b'"claim":' + b"[" * 100_000 + b"]" * 100_000), "deep"),
            ((b'"claim":null,', b""), "canonical"),
        ):
            with self.assertRaisesRegex(EnvelopeError, told):
                Envelope.decode(sealed(body.replace(*change)))


def unsealed(data):
    return data.rpartition(b',"digest"')[0] + b"}"


if __name__ == "__main__":
    unittest.main()
