import pytest

from lalelu.config.loader import check_file
from lalelu.config.schema import Config
from lalelu.pose.port import CPU_ONLY, DEVICES, RUNTIMES


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "pose: {device: cuda}",
            "1:16: pose.device is cuda; runtime openvino computes on cpu; set device: cpu, or choose another runtime",
        ),
        (
            "pose: {runtime: tensorrt}",
            "1:7: pose: runtime tensorrt computes on cuda; set device: cuda, or choose another runtime",
        ),
        (
            "pose: {tensorrt: {workspace_mib: 1}}",
            "1:34: pose.tensorrt.workspace_mib is 1; allowed 64..65536",
        ),
    ],
)
def test_a_device_that_a_runtime_has_not_is_told_with_its_place_and_rule(tmp_path, text, sentence):
    path = tmp_path / "file.yaml"
    path.write_text(text)
    assert [str(problem) for problem in check_file(path)] == [f"{path}:{sentence}"]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_takes_its_own_devices(runtime):
    for device in DEVICES.get(runtime, CPU_ONLY):
        pose = Config.model_validate({"pose": {"runtime": runtime, "device": device}}).pose
        assert (pose.runtime, pose.device) == (runtime, device)
