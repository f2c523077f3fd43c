import pytest

from lalelu.config.loader import check_file


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("player: {players: 7}", "1:19: player.players is 7; allowed 1..6 or null"),
        (
            "{name: k, pads: {a: {note: 38, zone: {box: [0, 0, 1, 1]}, players: [0, 6]}}}",
            "1:72: pads.a.players[1] is 6; allowed 0..5",
        ),
        (
            "{name: k, pads: {a: {note: 38, zone: {box: [0, 0, 1, 1]}, players: []}}}",
            "1:68: pads.a.players is a list of 0; allowed a list, not empty or null",
        ),
    ],
)
def test_a_wrong_number_of_players_is_told_with_its_place_and_rule(tmp_path, text, sentence):
    path = tmp_path / "file.yaml"
    path.write_text(text)
    assert [str(problem) for problem in check_file(path)] == [f"{path}:{sentence}"]
