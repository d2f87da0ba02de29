"""The verifier: a verdict only by an explicit word of its author."""

import json
import time

from support import VKEY, Room, envelope

from push0_prover import Program, vkey_of


class TheVerifier(Room):
    def test_an_acceptance_is_a_line_with_key_and_claim(self):
        done = self.verify(envelope("accept"))
        self.assertEqual(done.code, 0, done)
        self.assertEqual(done.out, f'{{"vkey":"{VKEY}","claim":{{"a":[0.5,null,"ü"],"b":1}}}}\n')

    def test_a_refusal_is_returned_or_raised(self):
        for how in ("return", "raise"):
            done = self.verify(envelope(how))
            self.assertEqual((done.code, done.out), (1, '{"refused":"bad pairing"}\n'), done)

    def test_nothing_else_is_a_verdict(self):
        for how in ACCIDENTS:
            with self.subTest(how):
                done = self.verify(envelope(how))
                self.assertEqual(done.code, 2, done)
                self.assertEqual(list(json.loads(done.out)), ["undecided"], done)

    def test_a_crash_says_nothing(self):
        done = self.verify(envelope("abort"))
        self.assertLess(done.code, 0)
        self.assertEqual(done.out, "")

    def test_a_file_that_cannot_be_imported_says_nothing(self):
        for text in ("import no_such_module", "this is no Python", "import sys; sys.exit(1)"):
            done = self.verify(envelope("accept"), script=self.write("broken.py", text.encode()))
            self.assertEqual((done.code, done.out), (1, ""), "exit 1 without a line is no verdict")

    def test_a_verifier_that_cannot_load_gives_no_verdict(self):
        for what in ("ValueError", "SystemExit(0)", "MemoryError", "Unprovable", "InvalidInput"):
            done = self.verify(envelope("accept"), TEST_LOAD=what)
            self.assertEqual((done.code, list(json.loads(done.out))), (2, ["undecided"]), done)

    def test_a_thread_that_lives_on_does_not_hold_the_verdict(self):
        began = time.monotonic()
        self.assertEqual(self.verify(envelope("thread")).code, 0)
        self.assertLess(time.monotonic() - began, 30)

    def test_a_mock_is_refused(self):
        self.assert_refused(self.verify(envelope("accept", mock=True)), "mock")
        self.assert_refused(self.verify(envelope("accept"), TEST_MOCK="1"), "mock")

    def test_another_key_than_the_pinned_one_is_refused(self):
        other = Program("unruly", vkey_of(b"another"))
        self.assert_refused(self.verify(envelope("accept", program=other)), "made under key")
        same = Program("unruly", VKEY)
        self.assertEqual(self.verify(envelope("accept", program=same)).code, 0)

    def test_another_claim_than_the_derived_one_is_refused(self):
        self.assert_refused(self.verify(envelope("accept", claim={"b": 2})), "the public values say")
        almost = {"a": [0.5, None, "ü"], "b": True}
        self.assert_refused(self.verify(envelope("accept", claim=almost)), "the public values say")
        same = {"a": [0.5, None, "ü"], "b": 1}
        self.assertEqual(self.verify(envelope("accept", claim=same)).code, 0)

    def test_a_flipped_bit_or_a_cut_is_refused(self):
        data = envelope("accept").encode()
        for at in range(0, len(data), 29):
            flipped = bytearray(data)
            flipped[at] ^= 1
            done = self.verify(bytes(flipped))
            self.assertEqual(done.code, 1, f"byte {at}: {done}")
            self.assert_refused(done, "digest")
        for cut in (b"", data[:-1], data[:-80], data + b"\n"):
            self.assert_refused(self.verify(cut), "digest")

    def test_an_envelope_of_a_newer_push0_is_no_verdict(self):
        for data in (b'{"format":"push0.proof/2"}', b'{"format":"push0.proof/1","new":1}'):
            done = self.verify(sealed(data))
            self.assertEqual((done.code, list(json.loads(done.out))), (2, ["undecided"]), done)

    def test_what_cannot_be_read_is_no_verdict(self):
        done = self.run_to_end(["verify", "-i", self.path("nowhere")])
        self.assertEqual((done.code, list(json.loads(done.out))), (2, ["undecided"]))
        done = self.verify(envelope("accept"), TEST_BYTES_MAX="100")
        self.assertEqual((done.code, list(json.loads(done.out))), (2, ["undecided"]))

    def test_inputs_are_there_where_push0_gives_them(self):
        item = self.item("block", b'{"number":5}')
        done = self.verify(envelope("inputs", input_items=(item,)))
        self.assertEqual(json.loads(done.out)["claim"], [{"number": 5}])
        self.write("block", b'{"number":6}')
        done = self.verify(envelope("inputs", input_items=(item,)))
        self.assertEqual((done.code, list(json.loads(done.out))), (2, ["undecided"]), "it is damaged")

    def assert_refused(self, done, words):
        self.assertEqual(done.code, 1, done)
        self.assertIn(words, json.loads(done.out)["refused"])


def sealed(body):
    import hashlib

    digest = hashlib.sha256(body).hexdigest().encode()
    return body[:-1] + b',"digest":"sha256:' + digest + b'"}\n'


ACCIDENTS = ["None", "True", "False", "class", "no reason", "ValueError", "AssertionError", "ImportError"]
ACCIDENTS += ["MemoryError", "SystemExit(0)", "SystemExit(1)", "SystemExit(196)", "Transient", "InvalidInput"]
ACCIDENTS += ["print", "NaN", "big", "object", "surrogate", "long", "inputs", "no such proof"]
