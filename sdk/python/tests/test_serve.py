"""The serve contract, with real processes."""

import contextlib
import json
import signal

from support import VKEY, Room


class TheServeContract(Room):
    def test_one_process_proves_one_task_after_another(self):
        served = self.served(["own"])
        for attempt in (1, 2):
            served.ask(attempt, "show")
            self.assertEqual(served.reply(), {"done": {"attempt": attempt}})
        self.assertEqual(self.read("out"), b"['2a', 2, 'leaf', ('own', 'show'), True]")
        self.assertEqual(served.end(), 0)

    def test_each_exception_has_its_class_and_the_process_goes_on(self):
        failed = ["Failure", "OSError", "ValueError", "Refused", "SystemExit(0)", "Sulking", "surrogate"]
        failed += ["long", "nothing", "text", "no-parts", "recurse", "KeyboardInterrupt"]
        classes = {
            **dict.fromkeys(failed, "failed"),
            **dict.fromkeys(["Resource", "MemoryError", "full"], "resource"),
            "Transient": "transient",
            "TimedOut": "timeout",
            "Unprovable": "unprovable",
            "InvalidInput": "invalid_input",
            "Cancelled": "cancelled",
        }
        served = self.served()
        for attempt, (what, failure_class) in enumerate(classes.items()):
            served.ask(attempt, what)
            reply = served.reply()
            self.assertEqual(reply["failed"]["attempt"], attempt, what)
            self.assertEqual(reply["failed"]["class"], failure_class, what)
            self.assertTrue(reply["failed"]["message"], what)
            self.assertLess(len(reply["failed"]["message"].encode()), 10_000, "no surrogate is in it")
        served.ask(99, "prove")
        self.assertEqual(served.reply(), {"done": {"attempt": 99}})

    def test_what_is_printed_comes_not_between(self):
        served = self.served()
        served.ask(1, "print")
        self.assertEqual(served.reply(), {"done": {"attempt": 1}})
        self.assertEqual(served.end(), 0)

    def test_imports_may_print_once_stdout_is_guarded(self):
        guarded = "import os, push0_prover\npush0_prover.guard_stdout()\nos.write(1, b'noise')\n"
        script = self.write("noisy.py", (guarded + SCRIPT).encode())
        served = self.serve(script=script)
        self.assertEqual(served.reply(), {"ready": {"vkey": None}})
        self.assertEqual(served.end(), 0)
        self.assertIn("Usage:", self.run_to_end(["--help"], script=script).out)

    def test_requests_are_not_there_for_the_prover_to_read(self):
        served = self.served()
        served.ask(1, "read")
        served.ask(2, "prove")
        self.assertEqual(served.reply(), {"done": {"attempt": 1}})
        self.assertEqual(served.reply(), {"done": {"attempt": 2}})

    def test_a_cancelled_attempt_fails_as_cancelled_and_no_other(self):
        served = self.served()
        served.ask(1, "wait")
        self.assertEqual(served.reply(), {"progress": {"attempt": 1, "fraction": 0.5}})
        served.ask(2, "wait")
        served.ask(3, "prove")
        for attempt in (7, 2, 1):
            served.line(json.dumps({"cancel": {"attempt": attempt}}))
        for attempt in (1, 2):
            failed = {"attempt": attempt, "class": "cancelled", "message": "cancelled"}
            self.assertEqual(served.reply(), {"failed": failed})
        self.assertEqual(served.reply(), {"done": {"attempt": 3}})

    def test_however_a_cancelled_attempt_ends_it_was_cancelled(self):
        served = self.served()
        for attempt, what in enumerate(["wait", "finish", "fail"]):
            served.ask(attempt, what)
            served.reply()
            served.line(json.dumps({"cancel": {"attempt": attempt}}))
            self.assertEqual(served.reply()["failed"]["class"], "cancelled", what)
        self.assertFalse((self.folder / "out").exists())

    def test_the_end_of_stdin_ends_a_busy_prover(self):
        served = self.served()
        served.ask(1, "sleep")
        served.reply()
        self.assertEqual(served.end(), 0)

    def test_sigterm_ends_it_idle_or_busy(self):
        for what in (None, "sleep", "native"):
            served = self.served()
            if what:
                served.ask(1, what)
                served.reply()
            served.child.send_signal(signal.SIGTERM)
            self.assertIn(served.wait(), (-signal.SIGTERM, 128 + signal.SIGTERM), what)

    def test_lines_that_mean_nothing_are_answered_on_stderr(self):
        served = self.served()
        lines = ["what?", "[]", '{"dance":{}}', '{"cancel":{}}', '{"prove":{"task":5}}', '{"a":NaN}']
        lines += ["[" * 100_000, '{"cancel":{"attempt":1' + "0" * 100_000 + "}}", '{"a":1,"a":2}']
        for line in lines:
            served.line(line)
        served.ask(1, "prove")
        self.assertEqual(served.reply(), {"done": {"attempt": 1}})
        self.assertEqual(served.end(), 0)
        told = [line for line in served.errors if "not understood" in line]
        self.assertEqual(len(told), len(lines), served.errors)
        self.assertLess(max(map(len, told)), 1000)

    def test_a_line_without_an_end_is_read_within_a_bound(self):
        served = self.served()
        with contextlib.suppress(BrokenPipeError):
            served.child.stdin.write(b"x" * (1 << 21))
        self.assertEqual(served.wait(), 1)

    def test_one_attempt_is_not_begun_twice(self):
        served = self.served()
        served.ask(1, "wait")
        served.reply()
        served.ask(1, "wait")
        served.line('{"cancel":{"attempt":1}}')
        self.assertEqual(served.reply()["failed"]["class"], "cancelled")
        served.ask(2, "prove")
        self.assertEqual(served.reply(), {"done": {"attempt": 2}})

    def test_more_tasks_than_the_queue_holds_are_told_to_come_again(self):
        served = self.served()
        served.ask(0, "wait")
        served.reply()
        for attempt in range(1, 66):
            served.ask(attempt, "prove")
        reply = served.reply()["failed"]
        self.assertEqual((reply["attempt"], reply["class"]), (65, "transient"))

    def test_a_prover_that_cannot_load_ends_by_its_class(self):
        for what, code in (("Transient", 75), ("ValueError", 1), ("MemoryError", 137)):
            served = self.serve(TEST_LOAD=what)
            self.assertIsNone(served.reply())
            self.assertEqual(served.wait(), code)

    def test_a_key_that_is_none_is_told_before_anything_is_proved(self):
        served = self.serve(TEST_VKEY="ab")
        self.assertIsNone(served.reply())
        self.assertEqual(served.wait(), 1)

    def served(self, args=()):
        served = self.serve(args)
        self.assertEqual(served.reply(), {"ready": {"vkey": VKEY}})
        return served


SCRIPT = """
class Quiet(push0_prover.Prover):
    def vkey(self): return None
    def prove(self, task, progress): return push0_prover.Raw(b"")
    def verify(self, envelope): return push0_prover.Refused("why")
push0_prover.main(Quiet)
"""
