"""sdft in Python: a chat model out of a folder, asked and scored with its adapter on or off, and whole runs.

    model = sdft.Model("models/smollm2-135m-instruct", adapter="runs/smollm2/sdft/adapter")
    print(model.generate(["What is the capital of France?"])[0])
    model.score("What is the capital of France?", "Paris.").log_prob
    print(sdft.run("examples/smollm2.yaml", output_dir="runs/mine"))

A prompt is a user's message, or a list of {"role", "content"}. What fails raises sdft.Error, which says what to do; Ctrl-C
stops what computes. Calls of several threads follow one another, each on all of the processor (`threads`).
"""
import json
import os

from ._sdft import Answer, ChatModel, Error, LogLikelihood
from ._sdft import run as _run

__all__ = ["Answer", "Error", "LogLikelihood", "Model", "run"]


def _messages(prompt):
    return [("user", prompt)] if isinstance(prompt, str) else [(turn["role"], turn["content"]) for turn in prompt]


class Model:
    """One resident copy of the weights: the seed model, and with the adapter on the tuned one.

    folder: a Hugging Face model folder with a chat template, or a GGUF file. adapter: a PEFT folder. device: auto, cpu, cuda.
    dtype: auto, f32, bf16. weights: auto, f32, bf16, int8, q4. threads: 0 for all."""

    def __init__(self, folder, adapter="", device="auto", dtype="auto", weights="auto", threads=0):
        self._model = ChatModel(os.fspath(folder), os.fspath(adapter), device, dtype, weights, threads)

    def use_adapter(self, on):
        """On from the start where there is an adapter."""
        self._model.use_adapter(on)

    def generate(self, prompts, *, temperature=0.0, top_k=0, top_p=1.0, repetition_penalty=1.0, max_new_tokens=512, seed=42):
        """An Answer (text, finish, tokens) for each prompt, generated together. temperature 0: greedy; top_k 0: all tokens."""
        if isinstance(prompts, str):
            raise TypeError("generate() takes a list of prompts; for one write [prompt]")
        return self._model.answer([_messages(prompt) for prompt in prompts], temperature, top_k, top_p, repetition_penalty,
                                  max_new_tokens, seed)

    def score(self, prompt, answer):
        """The LogLikelihood of the answer; with a list of answers, beside as many prompts, a list."""
        if isinstance(answer, str):
            return self.score([prompt], [answer])[0]
        if len(prompt) != len(answer):
            raise ValueError(f"score() got {len(prompt)} prompts and {len(answer)} answers")
        return self._model.score([_messages(one) + [("assistant", text)] for one, text in zip(prompt, answer)])


def run(recipe="", **settings):
    """What `sdft run` does: rewrite, train, evaluate, report, into output_dir; goes on where it was stopped. Settings win over
    the recipe (a YAML file; "": none). Returns the report as text."""
    texts = [f"{name}={value if isinstance(value, (str, os.PathLike)) else json.dumps(value)}" for name, value in settings.items()]
    return _run(os.fspath(recipe), texts)
