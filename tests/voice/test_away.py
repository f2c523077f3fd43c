from lalelu.voice.away import Away

S = 1_000_000_000


def test_a_loop_that_turns_is_never_away():
    away = Away()
    assert [away.look(t * S // 20, 5 * S) for t in range(100)] == [None] * 100


def test_a_sleep_of_the_machine_is_told_once_with_its_length():
    away = Away()
    away.look(10 * S, 0)
    assert away.look(10 * S + 50_000_000, 60 * S) == "the machine has slept for 60.0 s"
    assert away.look(10 * S + 100_000_000, 60 * S) is None


def test_a_process_that_was_stopped_is_told():
    away = Away()
    away.look(0, 5 * S)
    assert away.look(3 * S, 5 * S) == "the voice has stood still for 3.0 s"
    assert away.look(3 * S + 900_000_000, 5 * S) is None
