"""Saved files in the desk: when they are read, what becomes of them, and what is said where they cannot be played."""

import os

import pytest

from lalelu.bulletin import Bulletin
from lalelu.channel import BoardReader
from lalelu.config.loader import MAX_BYTES, load_config, with_overrides
from lalelu.config.source import Source
from lalelu.desk.reload import AGAIN_NS, LOOK_NS, Reloader
from lalelu.offer import BEGIN, ERROR, PAD, OfferReader
from lalelu.orders import RELOAD, OrderReader, OrderWriter
from lalelu.session import Plan, Recording, create_session
from lalelu.situation import Situation
from lalelu.wire import EventRing

KIT = """\
name: mine
pads:
  snare: {note: 38, zone: {box: [-1, -1, 1, 0]}}
"""
CONFIG = "kit: mine.yaml\nmidi: {outputs: ['file:out.mid'], error_note: 76}\n"
WAITS = "the saved configuration is taken over with the next frame"
FILMED = {"width": 640, "height": 480, "skeleton": "coco17", "model": "lightning"}


class Stage:
    """A reloader, the boards of those that it talks to, and a clock that only goes on when it is told to."""

    def __init__(self, folder, session, plan):
        self.folder = folder
        self.session = session
        self.lead, self.engine, self.voice = (
            Bulletin(session / name) for name in ("lead", "engine", "voice")
        )
        self.engine.tell(take=FILMED)
        self.orders, self.offers = OrderReader(session), OfferReader(session)
        self.lines, self.problems, self.epochs = [], {}, []
        self.ns = 0
        self.source = plan.source
        self.reloader = self.another()
        self.settle()
        self.lines.clear()

    def another(self):
        """A reloader that has seen nothing yet."""
        board = Bulletin(self.session / "desk")
        return Reloader(self.session, self.source, board, self, OrderWriter(self.session))

    def say(self, line, kind="desk"):
        self.lines.append(line)

    def show_problem(self, name, sentence):
        self.problems[name] = sentence

    def begin_epoch(self, epoch, config, from_ns):
        self.epochs.append((epoch, config["kit"]["pads"]["snare"]["note"], from_ns))

    @property
    def problem(self):
        return self.problems.get("config")

    def settle(self, looks=4):
        """Let time pass until what was saved has been looked at twice, and read."""
        for _ in range(looks):
            self.ns += LOOK_NS
            self.reloader.step(self.ns)

    def offered(self):
        """The kinds of pieces that have come since the last call, and the epoch of the last one."""
        kinds, epoch = [], None
        while self.offers.pending:
            epoch, kind, _ = self.offers.step()
            kinds.append(kind)
        return kinds, epoch

    def take_over(self, epoch):
        """Be a voice that is ready, and an engine that obeys."""
        self.voice.tell(prepared=epoch)
        self.settle(1)
        (order,) = self.orders.read()
        assert order.kind == RELOAD
        self.engine.tell(epoch=epoch, epoch_from_ns=epoch * 1000)
        self.settle(1)

    def save(self, text, name="mine.yaml"):
        new = self.folder / "new"
        new.write_text(text)
        new.replace(self.folder / name)


@pytest.fixture
def stage(tmp_path):
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "mine.yaml").write_text(KIT)
    (folder / "lalelu.yaml").write_text(CONFIG)
    loaded = load_config(folder / "lalelu.yaml")
    plan = Plan(loaded.config, loaded.kits, Recording(), core=None, source=Source(folder / "lalelu.yaml"))
    session, lock = create_session(plan, {"RUNTIME_DIRECTORY": str(tmp_path / "memory")}, keypoints=17)
    with lock:
        yield Stage(folder, session, plan)
    session.remove()


def note(number):
    return KIT.replace("38", str(number))


def test_nothing_is_offered_where_the_files_are_as_they_were(stage):
    stage.settle(10)
    assert (stage.offered(), stage.problem, stage.lines) == (([], None), None, [])


def test_a_saved_kit_is_offered_and_the_engine_asked_once_the_voice_is_ready(stage):
    stage.save(note(40))
    stage.settle()
    assert stage.offered() == ([BEGIN, 1, PAD], 1)
    assert not stage.orders.pending
    stage.take_over(1)
    assert stage.epochs == [(1, 40, 1000)]
    assert stage.session.plan_at(1).kit.pads["snare"].note == 40
    assert BoardReader(stage.session / "desk").value()["epoch"] == 1


def test_a_file_that_is_still_being_written_is_not_read(stage):
    path = stage.folder / "mine.yaml"
    for part in range(6):
        path.write_text(KIT[: 10 * part])
        stage.settle(1)
    path.write_text(note(41))
    stage.settle(1)
    assert (stage.offered()[0], stage.problem) == ([], None)
    stage.settle(3)
    assert stage.offered()[1] == 1


def test_what_is_saved_while_an_offer_is_on_its_way_comes_after_it(stage):
    stage.save(note(40))
    stage.settle()
    stage.save(note(41))
    stage.settle()
    assert stage.offered()[1] == 1
    stage.take_over(1)
    stage.settle()
    assert stage.offered()[1] == 2
    stage.take_over(2)
    assert [epoch[:2] for epoch in stage.epochs] == [(1, 40), (2, 41)]
    assert stage.session.epochs() == [2]


def test_a_mistake_is_told_with_its_line_and_heard_and_changes_nothing(stage):
    stage.save(KIT.replace("note", "nota"))
    stage.settle()
    place = stage.folder / "mine.yaml"
    assert stage.problem.startswith(f"kept the last good one: {place}:3:")
    assert stage.lines[0] == f"configuration: {stage.problem}"
    assert stage.lines[1].startswith(f"configuration: {place}:3:")
    assert stage.offered() == ([ERROR], 0)
    stage.settle(10)
    assert (stage.offered()[0], len(stage.lines)) == ([], 2)  # once for each mistake
    stage.save(KIT)
    stage.settle()
    assert (stage.problem, stage.offered()[0]) == (None, [])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.unlink(), "there is no such file"),
        (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "not a file"),  # which nobody ever writes
        (lambda path: path.write_bytes(b"#" * (MAX_BYTES + 1)), f"more than {MAX_BYTES} bytes"),
        (lambda path: path.write_bytes(b"name: \xff"), "not UTF-8"),
        (lambda path: path.write_text(note(38).replace("}}", "}, limbs: [left_index_tip]}")), "left_index_tip"),
        (
            lambda path: path.write_text(note(38).replace("}}", "}, limbs: [left_ankle]}")),
            "goes by the player's legs",
        ),
        (
            lambda path: path.write_text(
                KIT + "gestures: {x: {gesture: control, by: {y: left_wrist}, between: [0, 1], to: {osc: /x}}}\n"
            ),
            "no output takes it",
        ),
    ],
)  # fmt: skip
def test_whatever_stands_in_a_file_the_last_good_one_is_kept(stage, spoil, told):
    spoil(stage.folder / "mine.yaml")
    stage.settle()
    assert stage.problem.startswith("kept the last good one: ")
    assert told in stage.problem
    assert stage.offered()[0] == [ERROR]
    path = stage.folder / "mine.yaml"
    if path.is_dir():
        path.rmdir()
    stage.save(note(40))
    stage.settle()
    assert stage.problem is None
    assert stage.offered()[1] == 1


def test_a_link_that_is_laid_anew_counts_as_saved(stage):
    (stage.folder / "other.yaml").write_text(note(40))
    (stage.folder / "new").symlink_to("other.yaml")
    (stage.folder / "new").replace(stage.folder / "mine.yaml")
    stage.settle()
    assert stage.offered()[1] == 1


def test_a_configuration_that_names_somebody_elses_kit_is_refused(stage):
    stage.save(CONFIG.replace("mine.yaml", "~nobody-here/kit.yaml"), "lalelu.yaml")
    stage.settle()
    assert stage.problem.startswith("kept the last good one: ")


def test_a_kit_that_the_configuration_names_now_is_watched_from_then_on(stage):
    (stage.folder / "other.yaml").write_text(note(40))
    stage.save(CONFIG.replace("mine", "other"), "lalelu.yaml")
    stage.settle()
    stage.take_over(1)
    stage.offered()
    stage.save(note(41), "other.yaml")
    stage.settle()
    assert stage.offered()[1] == 2


def test_options_that_need_a_restart_are_named_and_the_others_hold_at_once(stage):
    stage.save(CONFIG + "camera: {rotate: 90}\ntiming: {delay_ms: 30}\n", "lalelu.yaml")
    stage.settle()
    assert stage.problem == "needs a restart: camera.rotate"
    assert stage.lines == ["configuration: needs a restart: camera.rotate"]
    assert stage.offered() == ([BEGIN], 1)  # a delay is none of the kits' business
    stage.take_over(1)
    config = stage.session.plan_at(1).config
    assert (config.camera.rotate, config.timing.delay_ms) == (0, 30.0)
    stage.save(CONFIG + "timing: {delay_ms: 30}\n", "lalelu.yaml")
    stage.settle()
    assert (stage.problem, stage.offered()[0]) == (None, [])


def test_what_the_command_line_has_asked_for_stays(tmp_path):
    (tmp_path / "mine.yaml").write_text(KIT)
    (tmp_path / "lalelu.yaml").write_text(CONFIG)
    loaded = with_overrides(load_config(tmp_path / "lalelu.yaml"), camera="opencv:3")
    plan = Plan(loaded.config, loaded.kits, Recording(), core=None, source=loaded.source)
    session, lock = create_session(plan, {"RUNTIME_DIRECTORY": str(tmp_path / "memory")}, keypoints=17)
    with lock:
        stage = Stage(tmp_path, session, session.plan)
        assert stage.problem is None
    session.remove()


def test_while_the_camera_is_waited_for_an_offer_waits_and_mistakes_are_told(stage):
    stage.engine.tell(take=None)
    stage.save(KIT.replace("note", "nota"))
    stage.settle()
    assert stage.problem is not None
    stage.save(note(40))
    stage.settle()
    assert (stage.problem, stage.offered()[1]) == (None, 0)
    stage.engine.tell(take=FILMED)
    stage.settle(1)
    assert stage.offered()[1] == 1


def test_the_leaders_word_has_files_read_that_do_not_look_changed(stage):
    path = stage.folder / "mine.yaml"
    before = path.stat()
    path.write_text(note(40))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    stage.settle()
    assert stage.offered()[0] == []
    stage.lead.tell(reload=1)
    stage.settle()
    assert stage.offered()[1] == 1


def test_an_offer_that_no_voice_has_heard_is_made_again(stage):
    stage.save(note(40))
    stage.settle()
    assert stage.offered()[1] == 1
    stage.settle(round(AGAIN_NS / LOOK_NS) + 1)
    assert stage.offered() == ([BEGIN, 1, PAD], 1)
    stage.take_over(1)


def test_an_offer_that_waits_for_the_camera_is_shown_and_ordered_again(stage):
    stage.save(note(40))
    stage.settle()
    stage.voice.tell(prepared=1)
    stage.settle(round(AGAIN_NS / LOOK_NS) + 2)
    assert stage.problem == WAITS
    first, again = stage.orders.read()
    assert first.number == again.number
    stage.engine.tell(epoch=1, epoch_from_ns=1000)
    stage.settle(1)
    assert (stage.problem, stage.orders.pending) == (None, False)


def test_while_an_offer_waits_mistakes_are_told_and_a_newer_good_file_replaces_it(stage):
    stage.engine.tell(state="waiting")
    stage.save(note(40))
    stage.settle()
    stage.voice.tell(prepared=1)
    stage.settle(round(AGAIN_NS / LOOK_NS) + 2)
    assert len(stage.orders.read()) == 1
    stage.save(KIT.replace("note", "nota"))
    stage.settle()
    assert stage.problem.startswith("kept the last good one: ")
    stage.offered()
    stage.save(note(41))
    stage.settle()
    assert (stage.problem, stage.offered()[1]) == (None, 2)
    stage.take_over(2)
    assert [epoch[:2] for epoch in stage.epochs] == [(2, 41)]


def test_a_kit_that_does_not_pass_the_check_stays_a_problem_while_it_is_read_again(stage):
    shown = []
    show, stage.show_problem = stage.show_problem, lambda *problem: (shown.append(problem[1]), show(*problem))
    stage.save(note(38).replace("}}", "}, limbs: [left_ankle]}"))
    stage.settle()
    for count in range(1, 4):
        stage.lead.tell(reload=count)
        stage.settle(3)
    assert set(shown[shown.index(stage.problem) :]) == {stage.problem}
    assert len(stage.lines) == 1


def test_a_refusal_leaves_no_plan_and_its_epoch_is_not_used_again(stage):
    for number in range(3):
        stage.save(note(40 + number))
        stage.settle()
        epoch = stage.offered()[1]
        stage.voice.tell(prepared=epoch)
        stage.settle(1)
        (order,) = stage.orders.read()
        stage.engine.tell(refused=[order.number, "no"])
        stage.settle(2)
        assert (epoch, stage.session.epochs()) == (number + 1, [])
    stage.save(note(50))
    stage.reloader = stage.another()  # after a desk that has died; the voice is still ready for 3
    stage.settle()
    assert stage.offered()[1] == 4


def test_the_leader_tells_each_mistake_once(stage, tmp_path):
    said = []
    situation = Situation(stage.session, stage.lead, EventRing(stage.session, "lead"), said.append)
    for text in (KIT.replace("note", "nota"), KIT.replace("zone", "zona"), note(50)):
        stage.save(text)
        stage.settle()
        board = {"problems": {"config": stage.problem} if stage.problem else {}}
        situation.look({"state": "playing"}, {"desk": board})
        situation.say(stage.lines, board)
        stage.lines.clear()
    situation.close()
    assert sum("kept the last good one" in line for line in said) == 2
    assert len(set(said)) == len(said)


def test_what_the_engine_refuses_is_told(stage):
    stage.save(note(40))
    stage.settle()
    stage.voice.tell(prepared=1)
    stage.settle(1)
    (order,) = stage.orders.read()
    stage.engine.tell(refused=[order.number, "the engine knows better"])
    stage.settle(1)
    assert stage.problem == "kept the last good one: the engine knows better"
    stage.save(note(41))
    stage.settle()
    stage.offered()
    stage.take_over(2)
    assert stage.problem is None


def test_a_desk_that_follows_a_dead_one_goes_on_from_what_is_played(stage):
    stage.save(note(40))
    stage.settle()
    stage.take_over(1)
    stage.offered()
    stage.save(note(41))
    stage.settle()  # offered, and the desk dies
    again = Stage(stage.folder, stage.session, stage.session.plan)
    again.engine.tell(take=FILMED, epoch=1, epoch_from_ns=1000)
    again.settle()
    assert again.epochs == [(1, 40, 1000)]
    assert again.offered()[1] == 3
    again.take_over(3)
    assert again.epochs[-1] == (3, 41, 3000)
