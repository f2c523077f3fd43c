"""Saved files while the instrument plays: taken over, refused, put right, and SIGHUP. One run of real processes."""

import signal

import numpy as np
from system.played import Played, kinds
from system.stage import KIT, ledger_notes, notes_of

from lalelu.channel import BoardReader

SNARE, COWBELL = 38, 56


class Saved(Played):
    """An instrument whose kit is saved while it plays."""

    def board(self, role):
        return BoardReader(self.session / role).value()

    def save(self, text):
        """Write the kit as editors do: another file takes its place."""
        new = self.folder / "stage.yaml.new"
        new.write_text(text)
        new.replace(self.folder / "stage.yaml")

    def wait_for_epoch(self, epoch):
        self.wait(lambda: self.board("engine").get("epoch") == self.board("desk").get("epoch") == epoch)

    @property
    def problem(self):
        return self.board("desk").get("problems", {}).get("config")


def notes_by_epoch(ledger):
    """The notes that each epoch played."""
    began = [epoch["began_ns"] for epoch in ledger.header["epochs"]]
    epochs = np.searchsorted(began, ledger.notes["captured_ns"], side="right") - 1
    return [set(ledger.notes["note"][epochs == epoch].tolist()) for epoch in range(len(began))]


def test_saved_files_are_played_from_the_next_frame_on_and_broken_ones_never(place):
    played = Saved(place, note_ms=80)
    played.wait_for_notes(6)
    text = KIT.format(note_ms=80)
    played.save(text.replace(f"note: {SNARE}", f"note: {COWBELL}"))
    played.wait_for_epoch(1)
    played.wait_for_notes(6)
    played.save(text.replace("note: 38", "nota: 38"))
    played.wait(lambda: played.problem is not None)
    assert played.problem.startswith(f"kept the last good one: {place / 'stage.yaml'}:4:")
    played.wait_for_notes()
    (place / "stage.yaml").unlink()
    played.wait(lambda: "there is no such file" in played.problem)
    played.save(text)
    played.save(text.replace("right:", "low:"))  # both at once: the second counts
    played.wait_for_epoch(2)
    assert played.problem is None
    played.wait_for_notes(6)
    config = place / "lalelu.yaml"
    config.write_text(config.read_text() + "pose: {threads: 2}\ntiming: {delay_ms: 30}\n")
    played.process.send_signal(signal.SIGHUP)
    played.wait_for_epoch(3)
    played.wait(lambda: played.problem == "needs a restart: pose.threads")
    played.wait_for_notes(6)  # of both hands
    told = played.end()
    assert told.code == 0
    assert "configuration: what was saved is played now (epoch 3)" in told.err
    ledger = played.ledger()
    assert [epoch["epoch"] for epoch in ledger.header["epochs"]] == [0, 1, 2, 3]
    assert [list(epoch["config"]["kit"]["pads"]) for epoch in ledger.header["epochs"]] == [
        ["left", "right"],
        ["left", "right"],
        ["left", "low"],
        ["left", "low"],
    ]
    timings = [epoch["config"]["config"]["timing"]["delay_ms"] for epoch in ledger.header["epochs"]]
    assert timings == [0.0, 0.0, 0.0, 30.0]
    right = {45, 48}
    assert notes_by_epoch(ledger) == [{SNARE, *right}, {COWBELL, *right}, {SNARE, *right}, {SNARE, *right}]
    assert notes_of(place / "out.mid") == ledger_notes(ledger)
    assert kinds(ledger).count("config") == 3
    assert (np.diff(ledger.frames["seq"]) == 1 + ledger.frames["skipped"][1:]).all()
