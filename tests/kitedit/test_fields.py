from lalelu.config.kit import KitConfig
from lalelu.config.loader import load_kit
from lalelu.kitedit.fields import controls


def test_every_control_spans_what_the_schema_allows():
    by_option = {(where, told["option"]): told for where, all_ in controls().items() for told in all_}
    mask = by_option["pad", "mask_ms"]
    assert (mask["minimum"], mask["maximum"], mask["whole"], mask["none"]) == (10, 500, True, "as the kit")
    lead = by_option["timing", "lead_ms"]
    assert (lead["kind"], lead["slider"], lead["unit"]) == ("number", [0.0, 40.0], "ms")
    assert by_option["pad", "curve"]["choices"] == ["linear", "log", "exp", "fixed"]
    assert by_option["timing", "choke"]["kind"] == "switch"
    assert (by_option["strike", "full_speed"]["choices"], by_option["strike", "full_speed"]["kind"]) == (
        ["auto"],
        "number",
    )
    assert [
        key
        for key, told in by_option.items()
        if told["kind"] == "number"
        and not (told["minimum"] <= told["slider"][0] < told["slider"][1] <= told["maximum"])
    ] == []


def test_a_slider_at_either_end_makes_a_valid_kit():
    kit = load_kit("minimal", None).model_dump(mode="json")
    for told in controls()["strike"]:
        for end in told["slider"]:
            value = round(end) if told["whole"] else end
            KitConfig.model_validate({**kit, "strike": {told["option"]: value}})
