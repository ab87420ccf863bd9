"""sdft in Python: a chat model out of a folder, asked and scored with its adapter on or off, and whole runs.

    model = sdft.Model("models/smollm2-135m-instruct", adapter="runs/smollm2/sdft/adapter")
    print(model.generate(["What is the capital of France?"])[0].text)
    model.score("What is the capital of France?", "Paris.").log_prob
    print(sdft.run("examples/smollm2.yaml", output_dir="runs/mine"))

A prompt is a user's message, or a list of {"role": ..., "content": ...}. What fails raises sdft.Error, which says what to do.
Ctrl-C stops what computes; a stopped run() goes on with the same call. Any thread may call.

A model, and a run, has a process of its own: its libtorch would not get on with that of `import torch` in one.
"""
import json
import multiprocessing.connection
import os
import pathlib
import socket
import subprocess
import sys
import threading
import typing
import weakref

__all__ = ["Answer", "Error", "LogLikelihood", "Model", "run"]


class Error(RuntimeError):
    """What went wrong, where, what was expected and what to do. code: 2 usage, 3 input, 4 device or out of memory, 1 a bug."""

    def __init__(self, message, code=1):
        super().__init__(message)
        self.code = code


class Answer(typing.NamedTuple):
    text: str
    finish: str  # stop, length, context, prompt_too_long (then there is no text)
    tokens: int


class LogLikelihood(typing.NamedTuple):
    log_prob: float  # natural logarithm, summed over the answer's tokens and the end of turn
    tokens: int


class _Engine:
    """A process of _engine.py; gone with this object."""

    def __init__(self):
        ours, theirs = socket.socketpair()
        environment = dict(os.environ)
        if "OMP_WAIT_POLICY" not in environment:  # as the command sets it
            environment.setdefault("GOMP_SPINCOUNT", "2000")
        with theirs:
            command = [sys.executable, str(pathlib.Path(__file__).with_name("_engine.py")), str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=environment,
                                             start_new_session=True)
        self._connection = multiprocessing.connection.Connection(ours.detach())
        self._one_at_a_time = threading.Lock()
        weakref.finalize(self, _end, self._connection, self._process)

    def call(self, *call):
        with self._one_at_a_time:
            try:
                self._connection.send(call)
                try:
                    self._connection.poll(None)
                except KeyboardInterrupt:
                    self._stop()
                    raise
                done, result = self._connection.recv()
            except (EOFError, OSError):
                raise Error(f"the process that computes has ended ({self._process.wait()})", 1) from None
        if done:
            return result
        raise Error(*result.args) if type(result) is RuntimeError else result  # not a subclass, as Python's own

    def _stop(self):
        try:
            self._connection.send(None)
            self._connection.recv()
        except KeyboardInterrupt:  # once more, at once
            self._process.kill()
            raise


def _end(connection, process):
    connection.close()
    process.wait()


def _messages(prompt):
    return [("user", prompt)] if isinstance(prompt, str) else [(turn["role"], turn["content"]) for turn in prompt]


class Model:
    """One resident copy of the weights: the seed model, and with the adapter on the tuned one.

    folder: a Hugging Face model folder with a chat template, or a GGUF file. adapter: a PEFT folder. device: auto, cpu, cuda.
    dtype: auto, f32, bf16. weights: auto, f32, bf16, int8, q4. threads: 0 for all."""

    def __init__(self, folder, adapter="", device="auto", dtype="auto", weights="auto", threads=0):
        self._engine = _Engine()
        self._engine.call("open", os.fspath(folder), os.fspath(adapter), device, dtype, weights, threads)

    def use_adapter(self, on):
        """On from the start where there is an adapter."""
        self._engine.call("use_adapter", bool(on))

    def generate(self, prompts, *, temperature=0.0, top_k=0, top_p=1.0, repetition_penalty=1.0, max_new_tokens=512, seed=42):
        """An Answer for each prompt, generated together. temperature 0: greedy; top_k 0: all tokens."""
        if isinstance(prompts, str):
            raise TypeError("generate() takes a list of prompts; for one write [prompt]")
        answers = self._engine.call("answer", [_messages(prompt) for prompt in prompts], temperature, top_k, top_p,
                                    repetition_penalty, max_new_tokens, seed)
        return [Answer(*answer) for answer in answers]

    def score(self, prompt, answer):
        """The LogLikelihood of the answer; of a list of answers beside as many prompts, a list."""
        if isinstance(answer, str):
            return self.score([prompt], [answer])[0]
        if len(prompt) != len(answer):
            raise ValueError(f"score() got {len(prompt)} prompts and {len(answer)} answers")
        scores = self._engine.call("score", [_messages(one) + [("assistant", text)] for one, text in zip(prompt, answer)])
        return [LogLikelihood(*score) for score in scores]


def run(recipe="", **settings):
    """What `sdft run` does: rewrite, train, evaluate, report, into output_dir; goes on where it was stopped. Settings win over
    the recipe (a YAML file; "": none). Returns the report as text."""
    texts = [f"{name}={value if isinstance(value, (str, os.PathLike)) else json.dumps(value)}" for name, value in settings.items()]
    return _Engine().call("run", os.fspath(recipe), texts)
