"""Recording a sample: due, outcome, two latencies, bins, marks, and its share of the windows. No network."""

import time

import numpy as np
from burstline.core.load.window import Window
from burstline.workers.recording.recording import WRITTEN, Gauges, Recorder, what
from burstline.workers.segments.ticking import FOLD_COUNT

from benchmarks.engine.bench import Options, Row, alone, exact, median, rounds, spread
from benchmarks.engine.machine import cores, settle

RATE = 8000


def _record(seconds: int) -> float:
    """Return the CPU time per sample of recording a run at `RATE`, seconds."""
    windows: list[Window] = []
    names = ["plain.ok", "plain.429", "timed_out"]
    recorder = Recorder(names, [False, True, False], [True, False, False], [True], 0, Gauges, windows.append)
    count = RATE * seconds
    dues = np.arange(count) / RATE
    sents, dones = (dues + 0.00003).tolist(), (dues + 0.0004).tolist()
    code, refused = what(0, 0, 0), what(0, 0, 1)
    codes = [refused if number % 50 == 0 else code for number in range(count)]
    pending = 0
    began_s = time.process_time()
    for due_s, sent_s, done_s, one in zip(dues.tolist(), sents, dones, codes, strict=True):
        recorder.due(WRITTEN, 0, due_s, sent_s)
        recorder.done(one, due_s, sent_s, done_s)
        pending += 2
        if pending >= FOLD_COUNT:
            pending = 0
            recorder.fold(done_s)
    recorder.finish(dones[-1])
    used_s = time.process_time() - began_s
    if sum(sum(window.answers.values()) for window in windows) != count:
        raise RuntimeError("samples were lost")
    return used_s / count


def measure(options: Options) -> list[Row]:
    """Return the row."""
    seconds = 1 if options.quick else 10
    with exact(options) as options:
        settle(cores()[0], options.realtime)
        found = rounds(options, {"burstline": lambda: _record(seconds)})["burstline"]
    what_ = "recording a sample, microseconds"
    return [Row(what_, "< 1.5", spread(found, 2, 1e6), "", median(found) < 1.5e-6)]


if __name__ == "__main__":
    alone(measure)
